//! The claim in the embedded tally: three rows of `meta`, which no sum and no restore looks at.

use super::{Fault, meta, natural, stored};
use crate::ledger::{Claim, Claimed};
use rusqlite::{Connection, Transaction, params};

const BOOK: &str = "claim-book";
const FENCE: &str = "claim-fence";
const NUMBER: &str = "claim-number";

pub(super) fn read(connection: &Connection) -> rusqlite::Result<Option<Claim>> {
    let number = |name| Ok::<_, rusqlite::Error>(meta(connection, name)?.map(natural));
    let all = (number(BOOK)?, number(FENCE)?, number(NUMBER)?);
    let (Some(book), Some(fence), Some(number)) = all else { return Ok(None) };
    Ok(Some(Claim { book, fence, number }))
}

pub(super) fn claim(transaction: &Transaction<'_>, claim: Claim) -> Result<Claimed, Fault> {
    if let Some(other) = read(transaction)?.filter(|&other| !claim.beats(Some(other))) {
        return Ok(Claimed::Theirs(other));
    }
    let mut put = transaction.prepare_cached("INSERT OR REPLACE INTO meta VALUES (?1, ?2)")?;
    for (name, value) in [(BOOK, claim.book), (FENCE, claim.fence), (NUMBER, claim.number)] {
        put.execute(params![name, stored(value, "a claim")?])?;
    }
    Ok(Claimed::Ours)
}
