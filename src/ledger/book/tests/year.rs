//! A large book, for measurements.

use super::super::*;

/// 400 credited blocks of 2,500 accounts (`0` and on) each, 100 that are not ripe, with the work of
/// 5,000 workers in each, and a year of daily payouts to all accounts, up to `now` (unix ms).
pub(crate) fn year(dir: &Path, now: u64) {
    let day = 86_400_000;
    drop(Book::open(dir, "litecoin").unwrap());
    let mut connection = Connection::open(path(dir, "litecoin")).unwrap();
    let change = connection.transaction().unwrap();
    for account in 0..2500_u32 {
        let sql =
            "INSERT INTO account (id, name, script, balance, since) VALUES (?1, ?2, ?3, 5, 1)";
        let row = params![account, account.to_string(), format!("{account:08x}")];
        change.execute(sql, row).unwrap();
    }
    for worker in 0..5000_u32 {
        let row = params![worker, format!("{}.{worker}", worker / 2)];
        change.execute("INSERT INTO worker VALUES (?1, ?2)", row).unwrap();
    }
    for block in 0..500_u64 {
        let immature = block >= 400;
        let state = if immature { "immature" } else { "mature" };
        let time = number(now - (500 - block) * day / 2).unwrap();
        let sql = "INSERT INTO block (id, hash, height, time, coinbase, value, finder, stale, state, \
                   since, depth, words, scheme) \
                   VALUES (?1, ?2, ?1, ?3, ?2, 1250000000, '0.0', 0, ?4, ?3, 50, '', 'prop')";
        let row = params![number(block).unwrap(), format!("{block:064x}"), time, state];
        change.execute(sql, row).unwrap();
        let block = [number(block).unwrap()];
        if immature {
            change.execute("INSERT INTO work SELECT ?1, id, 1000 + id FROM worker", block).unwrap();
        } else {
            let sql = "INSERT INTO credit SELECT ?1, id, '2000', 500000 FROM account";
            change.execute(sql, block).unwrap();
        }
    }
    for payout in 1..=365_u64 * 13 {
        // Transactions of 200 outputs, 13 a day.
        let time = number(now - (365 - payout / 13) * day).unwrap();
        let first = number(payout % 13 * 200).unwrap();
        let row =
            params![number(payout).unwrap(), format!("{payout:064x}"), "00".repeat(7000), time];
        let sql = "INSERT INTO payout (id, txid, bytes, fee, state, time, depth, words) \
                   VALUES (?1, ?2, ?3, 1000, 'confirmed', ?4, 100, '')";
        change.execute(sql, row).unwrap();
        let sql = "INSERT INTO output SELECT ?1, id - ?2, id, script, 5000 FROM account \
                   WHERE id >= ?2 AND id < ?2 + 200";
        change.execute(sql, params![number(payout).unwrap(), first]).unwrap();
    }
    change.commit().unwrap();
}
