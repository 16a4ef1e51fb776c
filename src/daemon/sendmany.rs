//! The calls by which a wallet without raw transactions pays: it makes, signs and sends in one, and
//! keeps a mark with the transaction, by which that is found again.

use super::calls::read;
use super::client::Client;
use super::error::{CallError, Fault};
use crate::chain::Hash;
use crate::rewards::Amount;
use serde_json::json;
use serde_json::value::RawValue;

/// `sendmany`: the id of the transaction that pays these addresses, marked with `mark`.
///
/// # Errors
/// [`CallError`]; whether something was sent all the same, [`was_refused`] tells.
pub fn send_many(
    client: &Client,
    account: &str,
    payments: &[(&str, Amount)],
    mark: &str,
) -> Result<Hash, CallError> {
    let method = "sendmany";
    // Written out: amounts are exact as text, and would not be as the floats of a JSON value.
    let payments: Vec<String> =
        payments.iter().map(|(address, amount)| format!("{}:{amount}", json!(address))).collect();
    let params = format!("[{},{{{}}},1,{}]", json!(account), payments.join(","), json!(mark));
    let params = RawValue::from_string(params)
        .map_err(|error| client.error(method, Fault::Garbage(error.to_string())))?;
    read(client, method, &client.call_written(method, &params)?)
}

/// What wallets say with -4 before they have made a transaction.
const NOT_MADE: [&str; 3] =
    ["Transaction creation failed", "Transaction too large", "Transaction amount too small"];

/// Whether a failed `sendmany` is known to have sent nothing.
///
/// A wallet takes a transaction up, and sends it, in its last step. What these codes stand for is
/// found out before that: parameters, addresses, funds, keys, a lock, a daemon that is starting, or
/// a login. -4 is what is said when the last step fails (`Transaction commit failed`), and with
/// other words when nothing could be made. -1 is whatever nobody thought of: then, and without an
/// answer, the transaction may be there.
#[must_use]
pub fn was_refused(error: &CallError) -> bool {
    match &error.fault {
        Fault::Rpc { code: -4, message } => NOT_MADE.iter().any(|words| message.contains(words)),
        Fault::Rpc { code, .. } => matches!(
            code,
            -3 | -5
                | -6
                | -8
                | -11
                | -12
                | -13
                | -17
                | -18
                | -19
                | -28
                | -32_600
                | -32_601
                | -32_602
                | -32_700
        ),
        Fault::Auth(_) => true,
        _ => false,
    }
}

/// `getaccount`: the wallet's account that rewards to `address` are in; `""`, which is all of the
/// wallet, where there are no accounts any more.
///
/// # Errors
/// [`CallError`] when there is no usable answer.
pub fn account_of(client: &Client, address: &str) -> Result<String, CallError> {
    let method = "getaccount";
    match client.call(method, json!([address])) {
        Err(CallError { fault: Fault::Rpc { code, .. }, .. }) if code != -28 => Ok(String::new()),
        answer => read(client, method, &answer?),
    }
}

/// `uptime`: for how many seconds the daemon has run; `None`: it does not say.
///
/// # Errors
/// [`CallError`] when there is no usable answer.
pub fn uptime(client: &Client) -> Result<Option<u64>, CallError> {
    let method = "uptime";
    match client.call(method, json!([])) {
        Err(error) if error.is_unknown_method() || matches!(error.fault, Fault::Auth(403)) => {
            Ok(None)
        }
        answer => read(client, method, &answer?).map(Some),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::daemon::stub::{self, Answer};
    use std::time::Duration;

    fn client(answer: impl Fn(&str, &str) -> Answer + Send + Sync + 'static) -> Client {
        Client::new(&stub::daemon(answer), Duration::from_secs(20))
    }

    #[test]
    fn amounts_and_mark_go_out_as_they_are() {
        let txid = Hash([7; 32]);
        let client = client(move |method, body| {
            let sent = r#""params":["",{"a":90071992.54740993,"b":0.00010000},1,"romp-1-\"x"]"#;
            match method == "sendmany" && body.contains(sent) {
                true => Answer::Result(format!("\"{txid}\"")),
                false => Answer::Error(format!(r#"{{"code":-8,"message":{}}}"#, json!(body))),
            }
        });
        let payments = [("a", Amount(9_007_199_254_740_993)), ("b", Amount(10_000))];
        assert_eq!(send_many(&client, "", &payments, "romp-1-\"x"), Ok(txid));
    }

    #[test]
    fn only_what_comes_before_the_last_step_is_a_refusal() {
        let error = |fault| CallError { daemon: String::new(), method: String::new(), fault };
        let rpc = |code| error(Fault::Rpc { code, message: String::new() });
        for code in [-3, -5, -6, -8, -12, -13, -18, -28, -32_600, -32_601, -32_602, -32_700] {
            assert!(was_refused(&rpc(code)), "{code}");
        }
        for code in [-1, -4, -7, -20, -25, -26, -27, -32_603, 0, 500] {
            assert!(!was_refused(&rpc(code)), "{code}");
        }
        for (words, refused) in [
            ("Transaction creation failed", true),
            ("Error: Transaction too large", true),
            ("Transaction amount too small", true),
            ("Transaction commit failed:: txn-mempool-conflict", false),
            ("Error: The transaction was rejected! This might happen if some of the coins", false),
            ("", false),
        ] {
            let error = error(Fault::Rpc { code: -4, message: words.to_owned() });
            assert_eq!(was_refused(&error), refused, "{words}");
        }
        assert!(was_refused(&error(Fault::Auth(401))));
        for fault in [
            Fault::Timeout(Duration::from_secs(1)),
            Fault::Unreachable("broke".to_owned()),
            Fault::Http(500, String::new()),
            Fault::Garbage("cut".to_owned()),
        ] {
            assert!(!was_refused(&error(fault.clone())), "{fault:?}");
        }
    }

    #[test]
    fn a_wallet_without_accounts_or_uptime_says_so() {
        let client = client(|_, _| Answer::Error(r#"{"code":-32601,"message":"no"}"#.to_owned()));
        assert_eq!(account_of(&client, "a"), Ok(String::new()));
        assert_eq!(uptime(&client), Ok(None));
    }
}
