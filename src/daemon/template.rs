//! `getblocktemplate`: asked with the coin's rules, refused in plain words.

use super::client::Client;
use super::error::{CallError, Fault};
use super::payee::Payees;
use crate::chain::{Plan, Template, TemplateError};
use crate::config::Coin;
use serde_json::{Value, json};

/// Why there is no template.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FetchError {
    /// The call failed.
    #[error(transparent)]
    Call(#[from] CallError),
    /// The daemon wants rules that the coin file does not name (error -8).
    #[error("daemon {daemon} {}", self.problem())]
    Rules {
        /// `host:port`.
        daemon: String,
        /// What was asked for.
        rules: Vec<String>,
        /// The daemon's words.
        words: String,
    },
    /// The answer is no template.
    #[error("daemon {daemon}: {error}")]
    Template {
        /// `host:port`.
        daemon: String,
        /// What is wrong with it.
        error: TemplateError,
    },
    /// The daemon was examined and contradicts the configuration.
    #[error("{words}")]
    Contradiction {
        /// The doctor's sentence.
        words: String,
    },
}

impl FetchError {
    /// The same without the daemon's address, for where that stands already.
    #[must_use]
    pub fn problem(&self) -> String {
        match self {
            Self::Call(error) => format!("{}: {}", error.method, error.fault),
            Self::Rules { rules, words, .. } => format!(
                "gives no template under the rules {rules:?}: {words}; put the rules that it \
                 names into `templateRules` of the coin file"
            ),
            Self::Template { error, .. } => error.to_string(),
            Self::Contradiction { words } => words.clone(),
        }
    }

    /// Whether the daemon is there but not ready: no peers, syncing, starting.
    #[must_use]
    pub fn is_not_ready(&self) -> bool {
        matches!(self, Self::Call(error) if error.is_not_ready())
    }
}

/// The parameters of `getblocktemplate`: NOMP's capabilities, the rules if there are any (daemons
/// older than BIP 9 know none), and the algorithm where the coin file names one.
#[must_use]
pub fn request(coin: &Coin) -> Value {
    let mut request = json!({"capabilities": ["coinbasetxn", "workid", "coinbase/append"]});
    if let Some(object) = request.as_object_mut()
        && !coin.template_rules.is_empty()
    {
        object.insert("rules".to_owned(), json!(coin.template_rules));
    }
    match &coin.template_algorithm {
        Some(algorithm) => json!([request, algorithm]),
        None => json!([request]),
    }
}

/// Asks for a template and for the scripts of payees that it names by address only.
///
/// # Errors
/// [`FetchError`] when there is none, in words for the operator.
pub fn fetch_for(
    client: &Client,
    coin: &Coin,
    plan: &Plan,
    payees: &mut Payees,
) -> Result<Template, FetchError> {
    ask(client, coin, request(coin), plan, payees)
}

/// As [`fetch_for`], answered only when the daemon has something newer than what it gave with this
/// `longpollid` (BIP 22): a block, or after a minute or so transactions.
///
/// # Errors
/// As [`fetch_for`].
pub fn wait_for(
    client: &Client,
    coin: &Coin,
    plan: &Plan,
    payees: &mut Payees,
    long_poll_id: &str,
) -> Result<Template, FetchError> {
    let mut params = request(coin);
    if let Some(object) = params.get_mut(0).and_then(Value::as_object_mut) {
        object.insert("longpollid".to_owned(), json!(long_poll_id));
    }
    ask(client, coin, params, plan, payees)
}

fn ask(
    client: &Client,
    coin: &Coin,
    params: Value,
    plan: &Plan,
    payees: &mut Payees,
) -> Result<Template, FetchError> {
    let answer = client.call("getblocktemplate", params).map_err(|error| match &error.fault {
        Fault::Rpc { code: -8, message } => FetchError::Rules {
            daemon: client.address(),
            rules: coin.template_rules.clone(),
            words: message.clone(),
        },
        _ => FetchError::Call(error),
    })?;
    let mut template = Template::parse_for(answer.get(), &plan.payees)
        .map_err(|error| FetchError::Template { daemon: client.address(), error })?;
    payees.resolve(client, &mut template, plan)?;
    Ok(template)
}

#[cfg(test)]
#[allow(clippy::indexing_slicing)]
mod tests {
    use super::*;

    #[test]
    fn the_request_has_what_the_coin_file_says() {
        let mut coin = crate::templates::tests::pool(Vec::new()).coin;
        assert_eq!(request(&coin)[0]["rules"], json!(["segwit"]));
        assert_eq!(request(&coin).as_array().map(Vec::len), Some(1));
        coin.template_rules.clear();
        coin.template_algorithm = Some("skein".to_owned());
        assert_eq!(request(&coin)[0].get("rules"), None);
        assert_eq!(request(&coin)[1], json!("skein"));
    }
}
