//! Whether the book balances: recomputed from its rows, every time.

use super::{Book, BookError};
use crate::chain::{Hash, hex_decode, transaction::Transaction};
use rusqlite::Connection;

/// What was added up, in the smallest unit.
#[derive(Debug, Clone, Default, PartialEq, Eq, serde::Serialize)]
pub struct Audit {
    /// What credited blocks pay to the pool.
    pub rewards: i128,
    /// Of it: the pool's fees.
    pub fees: i128,
    /// Of the fees: credited to accounts. The others stay in the wallet.
    pub fees_credited: i128,
    /// Of the rewards: credited to accounts for work.
    pub credits: i128,
    /// Brought from another pool's software: owed to accounts beside what was credited.
    pub imported: i128,
    /// Owed to accounts that can be paid.
    pub owed: i128,
    /// Owed to accounts that are set aside.
    pub held: i128,
    /// In payouts that are not confirmed yet, intended ones among them.
    pub in_flight: i128,
    /// In confirmed payouts.
    pub paid: i128,
    /// Of the rewards: of blocks that the chain has left after they were credited.
    pub lost: i128,
    /// What wallets paid for transactions.
    pub transaction_fees: i128,
    /// What does not agree, a sentence each. Empty: the book balances.
    pub wrong: Vec<String>,
}

/// Most sentences; more would say no more.
const MOST: usize = 100;

impl Book {
    /// Adds the book up; `whole`: with the bytes of payouts that were confirmed long ago, too.
    ///
    /// # Errors
    /// [`BookError`].
    pub fn audit(&self, whole: bool) -> Result<Audit, BookError> {
        self.read(|book| {
            book.execute_batch("BEGIN")?;
            let audit = add_up(book, whole);
            book.execute_batch("COMMIT")?;
            audit
        })
    }
}

fn sum(book: &Connection, sql: &str) -> rusqlite::Result<i128> {
    // Row by row: SQLite's own sum ends at 63 bits.
    let mut query = book.prepare(sql)?;
    let mut rows = query.query([])?;
    let mut sum = 0;
    while let Some(row) = rows.next()? {
        sum += i128::from(row.get::<_, i64>(0)?);
    }
    Ok(sum)
}

fn lines(book: &Connection, sql: &str, wrong: &mut Vec<String>) -> rusqlite::Result<()> {
    let mut query = book.prepare(sql)?;
    let found = query.query_map([], |row| row.get(0))?;
    for line in found.take(MOST) {
        wrong.push(line?);
    }
    Ok(())
}

pub(super) fn add_up(book: &Connection, whole: bool) -> rusqlite::Result<Audit> {
    let payouts = |states: &str| {
        sum(
            book,
            &format!(
                "SELECT amount FROM output JOIN payout ON payout.id = payout WHERE state IN ({states})"
            ),
        )
    };
    let mut audit = Audit {
        rewards: sum(book, "SELECT value FROM block WHERE fee IS NOT NULL")?,
        fees: sum(book, "SELECT fee FROM block WHERE fee IS NOT NULL")?,
        fees_credited: sum(
            book,
            "SELECT fee FROM block WHERE fee IS NOT NULL AND fee_account IS NOT NULL",
        )?,
        // By account: a sum of all might leave 63 bits.
        credits: sum(book, "SELECT SUM(amount) FROM credit GROUP BY account")?,
        imported: sum(book, "SELECT amount FROM import WHERE kind = 'balance' AND amount > 0")?,
        owed: sum(book, "SELECT balance FROM account WHERE held IS NULL")?,
        held: sum(book, "SELECT balance FROM account WHERE held IS NOT NULL")?,
        in_flight: payouts("'intended', 'signed', 'sent'")?,
        paid: payouts("'confirmed'")?,
        lost: sum(book, "SELECT value FROM block WHERE state = 'lost'")?,
        transaction_fees: sum(book, "SELECT fee FROM payout WHERE state <> 'void'")?,
        wrong: Vec::new(),
    };
    let wrong = &mut audit.wrong;
    if audit.rewards != audit.credits + audit.fees {
        wrong.push(format!(
            "rewards {} are not credits {} and fees {}",
            audit.rewards, audit.credits, audit.fees
        ));
    }
    let accounted = audit.owed + audit.held + audit.in_flight + audit.paid;
    if audit.credits + audit.fees_credited + audit.imported != accounted {
        wrong.push(format!(
            "credits {}, credited fees {} and imports {} are not what is owed, held, in flight and \
             paid, {accounted}",
            audit.credits, audit.fees_credited, audit.imported
        ));
    }
    lines(
        book,
        "SELECT 'block ' || hash || ': its credits and fee are not its value' FROM block
            WHERE fee IS NOT NULL AND value <> fee +
                COALESCE((SELECT SUM(amount) FROM credit WHERE credit.block = block.id), 0)
        UNION ALL SELECT 'block ' || hash || ': it is ' || state || ' and credited' FROM block
            WHERE fee IS NOT NULL AND state NOT IN ('mature', 'lost')
        UNION ALL SELECT 'block ' || hash || ': it is ' || state || ' and not credited' FROM block
            WHERE fee IS NULL AND state IN ('mature', 'lost')
        UNION ALL SELECT 'a credit names block ' || block || ', which is not there'
            FROM (SELECT DISTINCT block FROM credit) WHERE block NOT IN (SELECT id FROM block)
        UNION ALL SELECT 'transfer ' || n || ': it names an account that is not there' FROM transfer
            WHERE source NOT IN (SELECT id FROM account) OR target NOT IN (SELECT id FROM account)
        UNION ALL SELECT 'block ' || hash || ': its fee is nobody''s' FROM block
            WHERE fee_account IS NOT NULL
                AND (fee IS NULL OR fee_account NOT IN (SELECT id FROM account))
        UNION ALL SELECT 'account ' || name || ': its balance is not what it earned less its payouts'
            FROM account
            LEFT JOIN (SELECT account, SUM(amount) AS earned FROM credit GROUP BY account)
                AS earnings ON earnings.account = account.id
            LEFT JOIN (SELECT fee_account, SUM(fee) AS kept FROM block
                WHERE fee_account IS NOT NULL GROUP BY fee_account)
                AS fees ON fees.fee_account = account.id
            LEFT JOIN (SELECT account, SUM(amount) AS spent FROM output
                JOIN payout ON payout.id = payout WHERE state <> 'void' GROUP BY account)
                AS spending ON spending.account = account.id
            LEFT JOIN (SELECT account, SUM(moved) AS moved FROM
                (SELECT target AS account, amount AS moved FROM transfer
                    UNION ALL SELECT source, -amount FROM transfer) GROUP BY account)
                AS moves ON moves.account = account.id
            LEFT JOIN (SELECT account, SUM(amount) AS brought FROM import
                WHERE kind = 'balance' GROUP BY account) AS opening ON opening.account = account.id
            WHERE balance <> COALESCE(earned, 0) + COALESCE(kept, 0) + COALESCE(brought, 0) + COALESCE(moved, 0)
                - COALESCE(spent, 0)",
        wrong,
    )?;
    transactions(book, whole, wrong)?;
    Ok(audit)
}

/// Each payout's bytes pay just what its rows say.
fn transactions(book: &Connection, whole: bool, wrong: &mut Vec<String>) -> rusqlite::Result<()> {
    let mut outputs =
        book.prepare("SELECT n, script, amount FROM output WHERE payout = ?1 ORDER BY n")?;
    let sql = "SELECT id, txid, bytes FROM payout
        WHERE (?1 OR state <> 'confirmed') AND txid IS NOT NULL ORDER BY id";
    let mut query = book.prepare(sql)?;
    let mut rows = query.query([whole])?;
    while let Some(row) = rows.next()? {
        let (id, txid, bytes): (i64, String, String) = (row.get(0)?, row.get(1)?, row.get(2)?);
        let rows: Vec<(i64, String, i64)> = outputs
            .query_map([id], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?
            .collect::<rusqlite::Result<_>>()?;
        let read = Hash::from_display(&txid)
            .and_then(|txid| Transaction::named(&hex_decode(&bytes)?, &txid));
        let agrees = read.is_some_and(|read| {
            rows.iter().all(|(n, script, amount)| {
                let output = usize::try_from(*n).ok().and_then(|n| read.outputs.get(n));
                output.is_some_and(|output| {
                    hex_decode(script).as_ref() == Some(&output.script)
                        && u64::try_from(*amount) == Ok(output.value.0)
                })
            })
        });
        if !agrees && wrong.len() < MOST {
            wrong.push(format!("payout {txid}: its transaction does not pay what its rows say"));
        }
    }
    Ok(())
}
