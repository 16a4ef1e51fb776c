//! What a wallet has done since a block.

use super::calls::read;
use super::client::Client;
use super::error::CallError;
use crate::chain::Hash;
use serde::Deserialize;
use serde_json::json;
use std::collections::BTreeSet;

#[derive(Deserialize)]
struct RawSince {
    transactions: Vec<Entry>,
}

/// An entry of `listsinceblock`; a transaction has one for each of its outputs.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Entry {
    /// The transaction; moves between accounts of old wallets have none.
    pub txid: Option<Hash>,
    /// `send` when the wallet pays.
    #[serde(default)]
    pub category: String,
    /// The mark, or whatever else was noted with it.
    pub comment: Option<String>,
}

impl Entry {
    /// Those with a mark.
    #[must_use]
    pub fn marked(entries: &[Self], mark: &str) -> BTreeSet<Hash> {
        let ours = entries.iter().filter(|entry| entry.comment.as_deref() == Some(mark));
        ours.filter_map(|entry| entry.txid).collect()
    }

    /// Those by which the wallet pays.
    #[must_use]
    pub fn sent(entries: &[Self]) -> BTreeSet<Hash> {
        let sent = entries.iter().filter(|entry| entry.category == "send");
        sent.filter_map(|entry| entry.txid).collect()
    }
}

/// `listsinceblock`: the wallet's transactions that are in no block up to `block`; all of them
/// without one, and where the daemon does not know it any more.
///
/// # Errors
/// [`CallError`] when there is no usable answer.
pub fn since(client: &Client, block: Option<&Hash>) -> Result<Vec<Entry>, CallError> {
    let method = "listsinceblock";
    let params = block.map_or_else(|| json!([]), |block| json!([block.to_string()]));
    let answer = match client.call(method, params) {
        Err(error) if block.is_some() && error.code() == Some(-5) => client.call(method, json!([])),
        answer => answer,
    };
    let raw: RawSince = read(client, method, &answer?)?;
    Ok(raw.transactions)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::daemon::stub::{self, Answer};
    use std::time::Duration;

    #[test]
    fn a_mark_is_found_once_however_many_outputs_have_it() {
        let (ours, other) = (Hash([1; 32]), Hash([2; 32]));
        let daemon = stub::daemon(move |_, body| match body.contains("0909") {
            true => Answer::Error(r#"{"code":-5,"message":"Block not found"}"#.to_owned()),
            false => Answer::Result(
                json!({"transactions": [
                    {"txid": ours, "comment": "m", "category": "send", "amount": -1.5},
                    {"txid": ours, "comment": "m", "category": "receive"},
                    {"txid": other, "comment": "mm"}, {"txid": other}, {"category": "move"},
                ], "lastblock": "00"})
                .to_string(),
            ),
        });
        let client = Client::new(&daemon, Duration::from_secs(20));
        for tip in [Some(Hash([8; 32])), Some(Hash([9; 32])), None] {
            let entries = since(&client, tip.as_ref()).unwrap();
            assert_eq!(entries.len(), 5);
            assert_eq!(Entry::marked(&entries, "m"), BTreeSet::from([ours]));
            assert_eq!(Entry::marked(&entries, "n"), BTreeSet::new());
            assert_eq!(Entry::sent(&entries), BTreeSet::from([ours]));
        }
    }
}
