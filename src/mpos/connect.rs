//! A connection, its deadlines and what its errors mean.

use super::MposError;
use crate::config::Mpos;
use mysql::prelude::Queryable;
use mysql::{Conn, OptsBuilder};
use std::time::Duration;

/// How long connecting may take.
const CONNECT: Duration = Duration::from_secs(5);
/// How long a statement may take.
const DEADLINE: Duration = Duration::from_secs(30);

/// Connects. Data that would be cut or changed is an error, whatever the server is set to.
pub(super) fn connect(mpos: &Mpos) -> Result<Conn, mysql::Error> {
    let socket = mpos.host.starts_with('/').then_some(mpos.host.as_str());
    let host = mpos.host.trim_start_matches('[').trim_end_matches(']');
    let options = OptsBuilder::new()
        .ip_or_hostname(Some(if socket.is_some() { "localhost" } else { host }))
        .tcp_port(mpos.port)
        .socket(socket)
        .prefer_socket(socket.is_some())
        .user(Some(mpos.user.as_str()))
        .pass(Some(mpos.password.expose()))
        .db_name(Some(mpos.database.as_str()))
        .tcp_connect_timeout(Some(CONNECT))
        .read_timeout(Some(DEADLINE))
        .write_timeout(Some(DEADLINE));
    let mut connection = Conn::new(options)?;
    connection.query_drop("SET SESSION sql_mode = 'STRICT_TRANS_TABLES,NO_ENGINE_SUBSTITUTION'")?;
    Ok(connection)
}

/// The database, for messages.
pub(super) fn place(mpos: &Mpos) -> String {
    match mpos.host.starts_with('/') {
        true => format!("MPOS database `{}` at {}", mpos.database, mpos.host),
        false => format!("MPOS database `{}` at {}:{}", mpos.database, mpos.host, mpos.port),
    }
}

/// An error with what to do about it.
pub(super) fn explain(mpos: &Mpos, error: &mysql::Error) -> MposError {
    let advice = match error {
        mysql::Error::MySqlError(error) => match error.code {
            1044 | 1045 | 1698 => "; check `user`, `password` and `database` of mposMode",
            1049 => "; check `database` of mposMode",
            1142 | 1143 | 1227 => {
                "; the user needs SELECT, INSERT, UPDATE and DELETE on that database, and CREATE \
                 the first time"
            }
            1146 => "; import the tables of MPOS (sql/000_base_structure.sql)",
            1054 => "; romp needs the columns of MPOS's own tables",
            _ => "",
        },
        mysql::Error::IoError(_) | mysql::Error::DriverError(_) => {
            "; is the server running, and reachable from here?"
        }
        _ => "",
    };
    MposError { place: place(mpos), words: format!("{error}{advice}") }
}

/// The server's number of an error.
pub(super) fn code(error: &mysql::Error) -> Option<u16> {
    match error {
        mysql::Error::MySqlError(error) => Some(error.code),
        _ => None,
    }
}
