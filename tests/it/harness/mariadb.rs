//! A MariaDB server of the test's own, with the tables of MPOS that a pool touches.

use super::{Process, free_port, seconds, wait_for};
use mysql::prelude::{FromRow, Queryable};
use mysql::{Conn, OptsBuilder};
use nix::sys::signal::Signal;
use serde_json::{Value, json};
use std::process::Command;
use tempfile::TempDir;

/// The password of the pool's user.
pub(crate) const PASSWORD: &str = "mpos-secret";

/// As MPOS 1.0.4 has them: names, types and defaults of the columns, engine, character set.
const TABLES: [&str; 4] = [
    "CREATE TABLE accounts (id INT(255) NOT NULL AUTO_INCREMENT PRIMARY KEY, \
     is_admin TINYINT(1) NOT NULL DEFAULT 0, username VARCHAR(40) NOT NULL, \
     pass VARCHAR(255) NOT NULL, email VARCHAR(255) NULL, is_locked TINYINT(1) NOT NULL DEFAULT 0, \
     pin VARCHAR(255) NOT NULL, UNIQUE KEY username (username), UNIQUE KEY email (email)) \
     ENGINE=InnoDB DEFAULT CHARSET=utf8",
    "CREATE TABLE pool_worker (id INT(255) NOT NULL AUTO_INCREMENT PRIMARY KEY, \
     account_id INT(255) NOT NULL, username CHAR(50) NULL, password CHAR(255) NULL, \
     difficulty FLOAT NOT NULL DEFAULT 0, monitor TINYINT(1) NOT NULL DEFAULT 0, \
     UNIQUE KEY username (username), KEY account_id (account_id)) \
     ENGINE=InnoDB DEFAULT CHARSET=utf8",
    "CREATE TABLE shares (id BIGINT(30) NOT NULL AUTO_INCREMENT PRIMARY KEY, \
     rem_host VARCHAR(255) NOT NULL, username VARCHAR(120) NOT NULL, \
     our_result ENUM('Y','N') NOT NULL, upstream_result ENUM('Y','N') NULL, \
     reason VARCHAR(50) NULL, solution VARCHAR(257) NOT NULL, \
     difficulty FLOAT NOT NULL DEFAULT 0, time TIMESTAMP NOT NULL DEFAULT CURRENT_TIMESTAMP, \
     KEY time (time), KEY upstream_result (upstream_result), KEY our_result (our_result), \
     KEY username (username)) ENGINE=InnoDB DEFAULT CHARSET=utf8",
    "CREATE TABLE blocks (id INT(10) UNSIGNED NOT NULL AUTO_INCREMENT PRIMARY KEY, \
     height INT(10) UNSIGNED NOT NULL, blockhash CHAR(65) NOT NULL, confirmations INT(10) NOT NULL, \
     amount DOUBLE NOT NULL, difficulty DOUBLE NOT NULL, time INT(11) NOT NULL, \
     accounted TINYINT(1) NOT NULL DEFAULT 0, account_id INT(255) UNSIGNED NULL, \
     worker_name VARCHAR(50) DEFAULT 'unknown', shares DOUBLE UNSIGNED NULL, \
     share_id BIGINT(30) NULL, UNIQUE KEY height (height, blockhash)) \
     ENGINE=InnoDB DEFAULT CHARSET=utf8",
];

/// A running `mariadbd` on loopback.
pub(crate) struct MariaDb {
    pub(crate) port: u16,
    process: Option<Process>,
    dir: TempDir,
}

impl MariaDb {
    /// Makes and starts a server with a database `mpos` and a user `pool` for it.
    pub(crate) fn start() -> Self {
        let dir = tempfile::tempdir().expect("temporary folder");
        let data = dir.path().join("data");
        let made = Command::new("mariadb-install-db")
            .args(["--no-defaults", "--auth-root-authentication-method=normal", "--skip-test-db"])
            .arg(format!("--datadir={}", data.display()))
            .arg("--user=root")
            .output()
            .expect("mariadb-install-db");
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
        let mut server = Self { port: free_port(), process: None, dir };
        server.run();
        let mut root = server.connect("root", "", None).expect("root");
        for statement in [
            "CREATE DATABASE mpos CHARACTER SET utf8",
            "CREATE USER pool@'127.0.0.1' IDENTIFIED BY 'mpos-secret'",
            "GRANT SELECT, INSERT, UPDATE, DELETE, CREATE ON mpos.* TO pool@'127.0.0.1'",
            "USE mpos",
        ]
        .iter()
        .chain(&TABLES)
        {
            root.query_drop(statement).unwrap_or_else(|error| panic!("{statement}: {error}"));
        }
        server
    }

    /// Starts it on the files that are there.
    pub(crate) fn run(&mut self) {
        let folder = self.dir.path().display();
        let args = [
            "--no-defaults".to_owned(),
            format!("--datadir={folder}/data"),
            format!("--socket={folder}/socket"),
            format!("--pid-file={folder}/pid"),
            format!("--port={}", self.port),
            "--bind-address=127.0.0.1".to_owned(),
            "--user=root".to_owned(),
            "--innodb-buffer-pool-size=32M".to_owned(),
            "--skip-name-resolve".to_owned(),
        ];
        let args: Vec<&str> = args.iter().map(String::as_str).collect();
        let output = self.dir.path().join("output");
        // Debian keeps it where only root looks.
        let program = ["/usr/sbin/mariadbd", "mariadbd"];
        let program = program.iter().find(|path| std::path::Path::new(path).exists());
        let program = program.copied().unwrap_or("mariadbd");
        self.process = Some(Process::start(program, &args, &output));
        wait_for("mariadbd to answer", seconds(60), || self.connect("root", "", None).ok());
    }

    /// Kills it as a crash would.
    pub(crate) fn kill(&mut self) {
        self.process = None;
    }

    /// Stops it as an operator would.
    pub(crate) fn stop(&mut self) {
        let process = self.process.as_mut().expect("mariadbd was started");
        process.signal(Signal::SIGTERM);
        process.wait("mariadbd to end", seconds(60));
        self.process = None;
    }

    fn connect(&self, user: &str, password: &str, database: Option<&str>) -> mysql::Result<Conn> {
        let options = OptsBuilder::new()
            .ip_or_hostname(Some("127.0.0.1"))
            .tcp_port(self.port)
            .prefer_socket(false)
            .user(Some(user))
            .pass(Some(password))
            .db_name(database)
            .tcp_connect_timeout(Some(seconds(5)));
        Conn::new(options)
    }

    /// Does something as root.
    pub(crate) fn tell(&self, statement: &str) {
        let mut root = self.connect("root", "", Some("mpos")).expect("root");
        root.query_drop(statement).unwrap_or_else(|error| panic!("{statement}: {error}"));
    }

    /// Asks something as root.
    pub(crate) fn ask<T: FromRow>(&self, statement: &str) -> Vec<T> {
        let mut root = self.connect("root", "", Some("mpos")).expect("root");
        root.query(statement).unwrap_or_else(|error| panic!("{statement}: {error}"))
    }

    /// The first number of an answer.
    pub(crate) fn count(&self, statement: &str) -> u64 {
        self.ask::<Option<u64>>(statement).into_iter().flatten().next().unwrap_or_default()
    }

    /// A `mposMode` section, with more keys.
    pub(crate) fn mode(&self, more: Value) -> Value {
        let mut mode = json!({
            "enabled": true, "host": "127.0.0.1", "port": self.port, "user": "pool",
            "password": PASSWORD, "database": "mpos",
        });
        let Value::Object(more) = more else { panic!("an object") };
        mode.as_object_mut().expect("an object").extend(more);
        mode
    }
}
