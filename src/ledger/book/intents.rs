//! Intents: payouts of a wallet that makes, signs and sends a transaction in one call. What is to be
//! paid is in the book before that call, under a mark that the wallet keeps with the transaction; id
//! and bytes follow when it has answered, or when the mark was found.

use super::payouts::{give_back, take};
use super::{Book, BookError, Payout, amount, natural, number, trace};
use crate::chain::{Hash, hex_encode};
use crate::rewards::Amount;
use rusqlite::{OptionalExtension, Row, Transaction, params};

/// A payout whose transaction is not known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Intent {
    /// Number of the payout.
    pub id: i64,
    /// What the wallet keeps with the transaction; no other one has it, in any copy of the book.
    pub mark: String,
    /// The chain's last block before it was asked for.
    pub tip: Hash,
    /// Whether it is still to be found. If not, it was given up, and its amounts are owed again.
    pub is_open: bool,
    /// When it was written down, unix ms.
    pub time: u64,
    /// What it pays.
    pub amount: Amount,
    /// What it waits for, or why it was given up.
    pub words: String,
}

/// The transaction that an intent became.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Made {
    /// Its id.
    pub txid: Hash,
    /// Its bytes.
    pub bytes: Vec<u8>,
    /// What the wallet paid for it.
    pub fee: Amount,
    /// Which of its outputs each of the payout's is, in their order.
    pub places: Vec<usize>,
}

const SELECT: &str = "SELECT id, mark, tip, state, time, words,
    (SELECT COALESCE(SUM(amount), 0) FROM output WHERE payout = id) FROM payout";

fn intent(row: &Row<'_>) -> rusqlite::Result<Intent> {
    Ok(Intent {
        id: row.get(0)?,
        mark: row.get(1)?,
        tip: Hash::from_display(&row.get::<_, String>(2)?).unwrap_or(Hash([0; 32])),
        is_open: row.get::<_, String>(3)? == "intended",
        time: row.get(4).map(natural)?,
        words: row.get(5)?,
        amount: amount(row, 6)?,
    })
}

impl Book {
    /// Writes down what a wallet will be asked to pay, and takes it off the balances, in one step.
    /// From here on it may be asked, once.
    ///
    /// # Errors
    /// [`BookError`]; nothing is changed, also when another intent is open, a balance does not cover
    /// its output, or is set aside.
    pub fn intend(
        &mut self,
        outputs: &[(i64, Vec<u8>, Amount)],
        tip: &Hash,
        now: u64,
    ) -> Result<Intent, BookError> {
        self.change(|change| {
            // Random, so that an older copy of the book never makes a mark again.
            let sql = "INSERT INTO payout (fee, state, time, depth, words, mark, tip)
                VALUES (0, 'intended', ?1, 0, '', 'romp-' || lower(hex(randomblob(8))), ?2)";
            change.execute(sql, params![number(now)?, tip.to_string()])?;
            let id = change.last_insert_rowid();
            take(change, id, outputs)?;
            let intent = change.query_row(&format!("{SELECT} WHERE id = ?1"), [id], intent)?;
            trace(change, now, &intent.mark, &format!("intended, {} outputs", outputs.len()))?;
            Ok(intent)
        })
    }

    /// Intents, open ones and those that were given up, oldest first.
    ///
    /// # Errors
    /// [`BookError`].
    pub fn intents(&self) -> Result<Vec<Intent>, BookError> {
        let sql = format!("{SELECT} WHERE txid IS NULL ORDER BY id");
        self.read(|book| book.prepare(&sql)?.query_map([], intent)?.collect())
    }

    /// The intent that is open, if there is one.
    ///
    /// # Errors
    /// [`BookError`].
    pub fn open_intent(&self) -> Result<Option<Intent>, BookError> {
        let sql = format!("{SELECT} WHERE state = 'intended'");
        self.read(|book| book.query_row(&sql, [], intent).optional())
    }

    /// Whether an intent has ever become a transaction whose bytes the book has.
    ///
    /// # Errors
    /// [`BookError`].
    pub fn has_fulfilled(&self) -> Result<bool, BookError> {
        let sql =
            "SELECT EXISTS (SELECT 1 FROM payout WHERE mark IS NOT NULL AND txid IS NOT NULL)";
        self.read(|book| book.query_row(sql, [], |row| row.get(0)))
    }

    /// The coinbase of the newest block that is credited.
    ///
    /// # Errors
    /// [`BookError`].
    pub fn newest_reward(&self) -> Result<Option<Hash>, BookError> {
        let sql = "SELECT coinbase FROM block WHERE state = 'mature' AND value > 0
            ORDER BY id DESC LIMIT 1";
        let txid: Option<String> =
            self.read(|book| book.query_row(sql, [], |row| row.get(0)).optional())?;
        Ok(txid.and_then(|txid| Hash::from_display(&txid)))
    }

    /// Notes what an open intent waits for.
    ///
    /// # Errors
    /// [`BookError`].
    pub fn note_intent(&mut self, id: i64, words: &str) -> Result<(), BookError> {
        let sql = "UPDATE payout SET words = ?2 WHERE id = ?1 AND state = 'intended'";
        self.change(|change| change.execute(sql, params![id, words])).map(drop)
    }

    /// An open intent has become a transaction: it is sent. `false`: it was not open any more.
    ///
    /// # Errors
    /// [`BookError`]; nothing is changed, also when the book has the transaction already.
    pub fn fulfil(&mut self, id: i64, made: &Made, now: u64) -> Result<bool, BookError> {
        self.change(|change| {
            let Some(mark) = open_mark(change, id)? else { return Ok(false) };
            let sql =
                "UPDATE payout SET txid = ?2, bytes = ?3, fee = ?4, state = 'sent', words = ''
                WHERE id = ?1";
            let (txid, bytes) = (made.txid.to_string(), hex_encode(&made.bytes));
            change.execute(sql, params![id, txid, bytes, number(made.fee.0)?])?;
            put_in_place(change, id, &made.places)?;
            trace(change, now, &mark, &format!("it is {txid}"))?;
            trace(change, now, &txid, "intended -> sent")?;
            Ok(true)
        })
    }

    /// A payout is another transaction, which pays just the same: it is sent. `false`: it is not in
    /// the state any more, or not the transaction, that was judged.
    ///
    /// # Errors
    /// [`BookError`]; nothing is changed, also when the book has the new transaction already.
    pub fn replace(&mut self, payout: &Payout, made: &Made, now: u64) -> Result<bool, BookError> {
        self.change(|change| {
            let sql = "UPDATE payout
                SET txid = ?4, bytes = ?5, fee = ?6, state = 'sent', depth = 0, words = ''
                WHERE id = ?1 AND txid = ?2 AND state = ?3 AND state <> 'void'";
            let (old, state) = (payout.txid.to_string(), payout.state.name());
            let (txid, bytes) = (made.txid.to_string(), hex_encode(&made.bytes));
            let fee = number(made.fee.0)?;
            if change.execute(sql, params![payout.id, old, state, txid, bytes, fee])? == 0 {
                return Ok(false);
            }
            put_in_place(change, payout.id, &made.places)?;
            trace(change, now, &old, &format!("{state} -> replaced by {txid}"))?;
            trace(change, now, &txid, &format!("sent in place of {old}"))?;
            Ok(true)
        })
    }

    /// The wallet has refused an open intent before it made a transaction: its amounts are owed
    /// again, and only the trace of it stays.
    ///
    /// # Errors
    /// [`BookError`].
    pub fn refused(&mut self, id: i64, words: &str, now: u64) -> Result<(), BookError> {
        self.change(|change| {
            let Some(mark) = open_mark(change, id)? else { return Ok(()) };
            give_back(change, id)?;
            change.execute("DELETE FROM output WHERE payout = ?1", [id])?;
            change.execute("DELETE FROM payout WHERE id = ?1", [id])?;
            trace(change, now, &mark, &format!("refused: {words}"))
        })
    }

    /// The operator says that an open intent was never sent: its amounts are owed again. `false`:
    /// it was not open any more.
    ///
    /// # Errors
    /// [`BookError`].
    pub fn give_up(&mut self, id: i64, words: &str, now: u64) -> Result<bool, BookError> {
        self.change(|change| {
            let Some(mark) = open_mark(change, id)? else { return Ok(false) };
            give_back(change, id)?;
            let sql = "UPDATE payout SET state = 'void', words = ?2 WHERE id = ?1";
            change.execute(sql, params![id, words])?;
            trace(change, now, &mark, &format!("intended -> void: {words}"))?;
            Ok(true)
        })
    }
}

/// A wallet orders outputs as it likes: each row of a payout, in their order, says where its own is.
fn put_in_place(change: &Transaction<'_>, id: i64, places: &[usize]) -> rusqlite::Result<()> {
    let sql = "SELECT n FROM output WHERE payout = ?1 ORDER BY n";
    let old: Vec<i64> =
        change.prepare(sql)?.query_map([id], |row| row.get(0))?.collect::<rusqlite::Result<_>>()?;
    if old.len() != places.len() {
        return Err(rusqlite::Error::QueryReturnedNoRows);
    }
    // Moved out of the way first, since two of them may change places.
    change.execute("UPDATE output SET n = -1 - n WHERE payout = ?1", [id])?;
    for (n, &place) in old.iter().zip(places) {
        let sql = "UPDATE output SET n = ?3 WHERE payout = ?1 AND n = -1 - ?2";
        change.execute(sql, params![id, n, number(place as u64)?])?;
    }
    Ok(())
}

fn open_mark(change: &Transaction<'_>, id: i64) -> rusqlite::Result<Option<String>> {
    let sql = "SELECT mark FROM payout WHERE id = ?1 AND state = 'intended'";
    change.query_row(sql, [id], |row| row.get(0)).optional()
}
