//! What is done to the ledger: Redis, and setting back an SQLite file.

use crate::faults::Fault;
use crate::harness::Redis;
use crate::scene::{Scene, Undo};
use rusqlite::Connection;
use std::time::Duration;

impl Scene {
    pub(crate) fn break_redis(&mut self, fault: Fault) {
        let Some(pid) = self.redis.as_ref().and_then(Redis::pid) else { return };
        if self.asleep.contains(&pid) {
            return;
        }
        match fault {
            Fault::StopRedis => {
                self.sleep(pid, 100, 20_000);
                self.diary.did("redis stopped", "");
            }
            Fault::KillRedis => {
                self.redis.iter_mut().for_each(Redis::kill);
                let time = self.random.time(50, 8000);
                self.later(time, Undo::RunRedis);
                self.diary.did("redis killed", &format!("{time:?}"));
            }
            Fault::FlushRedis => {
                self.tell_redis(&["FLUSHALL"]);
                self.diary.did("redis emptied", "");
            }
            Fault::FlushScripts => {
                self.tell_redis(&["SCRIPT", "FLUSH"]);
                self.diary.did("redis scripts flushed", "");
            }
            Fault::FillRedis => {
                self.tell_redis(&["CONFIG", "SET", "maxmemory", "1"]);
                let time = self.random.time(300, 8000);
                self.later(time, Undo::RedisMemory);
                self.diary.did("redis full", &format!("{time:?}"));
            }
            Fault::ReadOnlyRedis => {
                self.tell_redis(&["REPLICAOF", "127.0.0.1", "1"]);
                let time = self.random.time(300, 8000);
                self.later(time, Undo::RedisWrites);
                self.diary.did("redis read-only", &format!("{time:?}"));
            }
            Fault::CutRedis => {
                self.tell_redis(&["CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes"]);
                self.diary.did("redis clients cut off", "");
            }
            _ => {
                let wait = "local t = redis.call('TIME')[1] \
                            while redis.call('TIME')[1] - t < 3 do end return 1";
                self.tell_redis(&["EVAL", wait, "0"]);
                self.diary.did("redis busy", "");
            }
        }
    }

    /// First a copy is made, and later the ledger becomes that copy, as `.restore` does it.
    pub(crate) fn set_ledger_back(&mut self) {
        let copy = self.romp.path().join("copy.sqlite");
        let result = Connection::open(self.ledger_file()).and_then(|connection| {
            connection.busy_timeout(Duration::from_secs(2))?;
            let path = copy.display().to_string();
            if !copy.exists() {
                return connection.execute("VACUUM INTO ?1", [&path]).map(|_| "copied");
            }
            connection.execute("ATTACH ?1 AS old", [&path])?;
            let tables: Vec<String> = connection
                .prepare("SELECT name FROM old.sqlite_master WHERE type = 'table'")?
                .query_map([], |row| row.get(0))?
                .collect::<Result<_, _>>()?;
            let mut sql = String::from("BEGIN IMMEDIATE;");
            for table in tables {
                sql += &format!(
                    "DELETE FROM main.{table}; INSERT INTO main.{table} SELECT * FROM old.{table};"
                );
            }
            connection.execute_batch(&(sql + "COMMIT;"))?;
            Ok("set back")
        });
        match result {
            Ok("copied") => self.diary.did("ledger copied", ""),
            Ok(_) => {
                std::fs::remove_file(&copy).ok();
                self.diary.did("ledger set back", "");
            }
            Err(error) => {
                std::fs::remove_file(&copy).ok();
                self.diary.note(&format!("the ledger could not be set back: {error}"));
            }
        }
    }
}
