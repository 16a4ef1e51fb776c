//! What an MPOS database says that its accounts are owed. Only read.

use super::MposError;
use super::connect::{code, connect, explain};
use crate::config::Mpos;
use mysql::Conn;
use mysql::prelude::Queryable;

/// The server's number of "no such table".
const NO_TABLE: u16 = 1146;

/// An account of MPOS. Sums are the server's decimal text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AccountRow {
    /// Its user name.
    pub name: String,
    /// Where it wants to be paid.
    pub address: Option<String>,
    /// What it is owed.
    pub confirmed: String,
    /// What it will be owed when blocks have their confirmations.
    pub unconfirmed: String,
    /// What it was paid.
    pub paid: String,
}

/// What a database says.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Balances {
    /// Accounts with any transaction.
    pub accounts: Vec<AccountRow>,
    /// Payments by hand that were asked for and not made.
    pub requested: u64,
}

/// Sums by account as MPOS adds up its `confirmed` and `unconfirmed` balances: what is archived was
/// settled by a payment, and credits and fees of a block count with its confirmations.
const SUMS: &str = "
SELECT a.username, {address},
    CAST(SUM(CASE
        WHEN t.archived <> 0 THEN 0
        WHEN t.type IN ('Credit', 'Bonus') AND b.confirmations >= :deep THEN t.amount
        WHEN t.type = 'Credit_PPS' THEN t.amount
        WHEN t.type IN ('Debit_MP', 'Debit_AP', 'TXFee', 'Donation_PPS', 'Fee_PPS') THEN -t.amount
        WHEN t.type IN ('Donation', 'Fee') AND b.confirmations >= :deep THEN -t.amount
        ELSE 0 END) AS CHAR),
    CAST(SUM(CASE
        WHEN t.archived <> 0 OR b.confirmations < 0 OR b.confirmations >= :deep THEN 0
        WHEN t.type IN ('Credit', 'Bonus') AND b.confirmations IS NOT NULL THEN t.amount
        WHEN t.type IN ('Donation', 'Fee') AND b.confirmations IS NOT NULL THEN -t.amount
        ELSE 0 END) AS CHAR),
    CAST(SUM(CASE WHEN t.type IN ('Debit_MP', 'Debit_AP') THEN t.amount ELSE 0 END) AS CHAR)
FROM transactions AS t
LEFT JOIN blocks AS b ON b.id = t.block_id
LEFT JOIN accounts AS a ON a.id = t.account_id
GROUP BY t.account_id, a.username, {address}
ORDER BY t.account_id";

/// Reads what accounts are owed. `currency`: which addresses count, in versions that have several;
/// `deep`: MPOS's setting `confirmations`.
///
/// # Errors
/// [`MposError`].
pub fn read_balances(mpos: &Mpos, currency: &str, deep: u32) -> Result<Balances, MposError> {
    let failed = |error: mysql::Error| explain(mpos, &error);
    let mut connection = connect(mpos).map_err(failed)?;
    // Servers older than MySQL 5.6 do not know the last two words.
    if connection.query_drop("START TRANSACTION READ ONLY").is_err() {
        connection.query_drop("START TRANSACTION").map_err(failed)?;
    }
    let (accounts, requested) = all(&mut connection, currency, deep).map_err(failed)?;
    let _ = connection.query_drop("ROLLBACK");
    Ok(Balances { accounts, requested })
}

type Sums = (Option<String>, Option<String>, Option<String>, Option<String>, Option<String>);

fn all(
    connection: &mut Conn,
    currency: &str,
    deep: u32,
) -> Result<(Vec<AccountRow>, u64), mysql::Error> {
    // MPOS 0.0.12 moved the address of an account into a table of its own.
    let apart = has_table(connection, "coin_addresses")?;
    let address = match apart {
        true => {
            "(SELECT MIN(c.coin_address) FROM coin_addresses AS c WHERE c.account_id = \
             t.account_id AND UPPER(c.currency) = UPPER(:currency))"
        }
        false => "a.coin_address",
    };
    let grouped = if apart { "" } else { ", a.coin_address" };
    let sums = SUMS.replacen("{address}", address, 1).replacen(", {address}", grouped, 1);
    let mut params = vec![("deep".to_owned(), mysql::Value::from(deep))];
    if apart {
        params.push(("currency".to_owned(), currency.into()));
    }
    let rows: Vec<Sums> = connection.exec(sums, mysql::Params::from(params))?;
    let text = |sum: Option<String>| sum.unwrap_or_else(|| "0".to_owned());
    let accounts = rows
        .into_iter()
        .map(|(name, address, confirmed, unconfirmed, paid)| AccountRow {
            name: name.unwrap_or_default(),
            address: address.filter(|address| !address.trim().is_empty()),
            confirmed: text(confirmed),
            unconfirmed: text(unconfirmed),
            paid: text(paid),
        })
        .collect();
    let requested = match has_table(connection, "payouts")? {
        true => connection.query_first("SELECT COUNT(*) FROM payouts WHERE completed = 0")?,
        false => None,
    };
    Ok((accounts, requested.unwrap_or_default()))
}

fn has_table(connection: &mut Conn, name: &str) -> Result<bool, mysql::Error> {
    match connection.query_drop(format!("SELECT 1 FROM {name} LIMIT 1")) {
        Ok(()) => Ok(true),
        Err(error) if code(&error) == Some(NO_TABLE) => Ok(false),
        Err(error) => Err(error),
    }
}
