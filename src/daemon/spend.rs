//! What becomes of outputs: whether the chain still has them, what spends them, and the wallet's
//! locks on them.

use super::calls::read;
use super::client::Client;
use super::error::CallError;
use super::wallet::coins;
use crate::chain::Hash;
use crate::rewards::Amount;
use serde::Deserialize;
use serde_json::json;
use serde_json::value::RawValue;

/// An output: the transaction that made it, and its place there.
pub type Outpoint = (Hash, u32);

#[derive(Deserialize)]
struct RawOutput {
    value: Box<RawValue>,
}

/// `gettxout`: what an output is worth that is there and not spent; `None`: spent, or never made.
/// With `mempool` as the next block would have it, without as the chain has it.
///
/// # Errors
/// [`CallError`] when there is no usable answer.
pub fn unspent(
    client: &Client,
    (txid, n): &Outpoint,
    mempool: bool,
) -> Result<Option<Amount>, CallError> {
    let method = "gettxout";
    let answer = client.call(method, json!([txid.to_string(), n, mempool]))?;
    let raw: Option<RawOutput> = read(client, method, &answer)?;
    raw.map(|output| coins(client, method, output.value.get())).transpose()
}

/// `lockunspent`: keeps the wallet from spending these by itself, or lets it again. One by one where
/// it refuses them together: an output that is spent, or locked already, is no reason to leave the
/// others.
///
/// # Errors
/// [`CallError`] when there is no answer. A refusal is none, as with a wallet that lacks the call.
pub fn lock(client: &Client, outputs: &[Outpoint], locked: bool) -> Result<(), CallError> {
    let call = |some: &[Outpoint]| {
        let list: Vec<_> =
            some.iter().map(|(txid, n)| json!({"txid": txid.to_string(), "vout": n})).collect();
        client.call("lockunspent", json!([!locked, list]))
    };
    match call(outputs) {
        Err(error) if error.code() == Some(-8) => {
            for output in outputs {
                if let Err(error) = call(std::slice::from_ref(output))
                    && error.code().is_none()
                {
                    return Err(error);
                }
            }
            Ok(())
        }
        Err(error) if error.code().is_none() => Err(error),
        _ => Ok(()),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::indexing_slicing)]
mod tests {
    use super::*;
    use crate::daemon::stub::{self, Answer};
    use std::collections::BTreeSet;
    use std::sync::{Arc, Mutex};
    use std::time::Duration;

    #[test]
    fn an_output_that_cannot_be_locked_does_not_leave_the_others_unlocked() {
        let locked = Arc::new(Mutex::new(BTreeSet::from([1])));
        let seen = Arc::clone(&locked);
        let daemon = stub::daemon(move |_, body| {
            let request: serde_json::Value = serde_json::from_str(body).unwrap();
            let mut locked = seen.lock().unwrap();
            let places: Vec<u64> = request["params"][1]
                .as_array()
                .unwrap()
                .iter()
                .map(|output| output["vout"].as_u64().unwrap())
                .collect();
            // As daemons do: all of them, or none.
            if places.iter().any(|place| locked.contains(place)) {
                return Answer::Error(r#"{"code":-8,"message":"already locked"}"#.to_owned());
            }
            locked.extend(places);
            Answer::Result("true".to_owned())
        });
        let client = Client::new(&daemon, Duration::from_secs(20));
        let outputs = [0, 1, 2].map(|n| (Hash([7; 32]), n));
        lock(&client, &outputs, true).unwrap();
        assert_eq!(*locked.lock().unwrap(), BTreeSet::from([0, 1, 2]));
    }
}
