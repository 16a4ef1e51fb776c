//! Who may mine: `pool_worker` and `accounts`, asked by name.

use super::MposError;
use super::connect::{code, connect, explain};
use crate::config::{Mpos, MposAuth};
use mysql::Conn;
use mysql::prelude::Queryable;

/// Workers that are made for one account at most.
const WORKERS: u64 = 1000;
const DUPLICATE: u16 = 1062;
/// A text does not fit its column, or its character set.
const UNFIT: [u16; 3] = [1366, 1406, 3988];

/// What the database says of a worker.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// It may mine.
    Yes,
    /// It may not, in words for the miner.
    No(String),
    /// The database did not answer.
    Away,
}

/// Asks about workers, over one connection that is made when it is needed. Its calls block.
#[derive(Debug)]
pub struct Register {
    mpos: Mpos,
    connection: Option<Conn>,
}

impl Register {
    /// Nothing is connected yet.
    #[must_use]
    pub fn new(mpos: Mpos) -> Self {
        Self { mpos, connection: None }
    }

    /// Whether a worker may mine; with `autoCreateWorker` it is entered first, if its account is
    /// known.
    ///
    /// # Errors
    /// [`MposError`] when the database cannot tell.
    pub fn ask(&mut self, name: &str, password: &str) -> Result<Answer, MposError> {
        let fresh = self.connection.is_none();
        let first = self.look_up(name, password);
        let answer = match first {
            // The server may have ended a connection that was idle for long.
            Err(error) if !fresh && code(&error).is_none() => self.look_up(name, password),
            first => first,
        };
        answer.map_err(|error| explain(&self.mpos, &error))
    }

    fn look_up(&mut self, name: &str, password: &str) -> Result<Answer, mysql::Error> {
        let mut connection = match self.connection.take() {
            Some(connection) => connection,
            None => connect(&self.mpos)?,
        };
        let answer = look_up(&mut connection, &self.mpos, name, password)?;
        self.connection = Some(connection);
        Ok(answer)
    }
}

fn look_up(
    connection: &mut Conn,
    mpos: &Mpos,
    name: &str,
    password: &str,
) -> Result<Answer, mysql::Error> {
    let lower = name.to_lowercase();
    if let Some(stored) = stored(connection, &lower)? {
        return Ok(judge(mpos.auth, stored.as_deref(), password));
    }
    if !mpos.auto_create {
        return Ok(Answer::No("unknown worker: add it on the pool's web site".to_owned()));
    }
    let account = lower.split('.').next().unwrap_or_default();
    let known: Vec<(u64, String)> =
        connection.exec("SELECT id, username FROM accounts WHERE username = ?", (account,))?;
    let Some((id, _)) = known.into_iter().find(|(_, known)| known.to_lowercase() == account) else {
        return Ok(Answer::No("unknown account".to_owned()));
    };
    let count = "SELECT COUNT(*) FROM pool_worker WHERE account_id = ?";
    if connection.exec_first(count, (id,))?.unwrap_or(0_u64) >= WORKERS {
        return Ok(Answer::No(format!("the account has {WORKERS} workers already")));
    }
    let insert = "INSERT INTO pool_worker (account_id, username, password) VALUES (?, ?, ?)";
    match connection.exec_drop(insert, (id, &lower, password)) {
        Ok(()) => Ok(Answer::Yes),
        // Another one was faster, on another connection.
        Err(error) if code(&error) == Some(DUPLICATE) => Ok(match stored(connection, &lower)? {
            Some(stored) => judge(mpos.auth, stored.as_deref(), password),
            None => Answer::No("a worker of nearly the same name exists".to_owned()),
        }),
        Err(error) if code(&error).is_some_and(|code| UNFIT.contains(&code)) => {
            Ok(Answer::No("MPOS cannot hold this name or password".to_owned()))
        }
        Err(error) => Err(error),
    }
}

/// The password of a worker; `None`: no such worker. The database compares loosely (`b\u{f3}b` is
/// `bob`, and trailing spaces do not count), so the name is looked at again.
fn stored(connection: &mut Conn, lower: &str) -> Result<Option<Option<String>>, mysql::Error> {
    let select = "SELECT username, password FROM pool_worker WHERE username = ?";
    let rows: Vec<(Option<String>, Option<String>)> = connection.exec(select, (lower,))?;
    let same = |name: &Option<String>| name.as_ref().is_some_and(|it| it.to_lowercase() == lower);
    Ok(rows.into_iter().find(|(name, _)| same(name)).map(|(_, password)| password))
}

fn judge(auth: MposAuth, stored: Option<&str>, password: &str) -> Answer {
    match auth {
        MposAuth::Password if stored != Some(password) => Answer::No("wrong password".to_owned()),
        _ => Answer::Yes,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_counts_where_it_is_wanted() {
        let no = Answer::No("wrong password".to_owned());
        assert_eq!(judge(MposAuth::Password, Some("x"), "x"), Answer::Yes);
        assert_eq!(judge(MposAuth::Password, Some("x"), "X"), no);
        assert_eq!(judge(MposAuth::Password, None, ""), no);
        assert_eq!(judge(MposAuth::Worker, Some("x"), "y"), Answer::Yes);
    }
}
