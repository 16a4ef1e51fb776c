//! A coin's chain as stub daemons show it.

use super::*;

/// A chain that stub daemons show.
#[derive(Clone)]
pub(in crate::templates) struct Chain(pub(super) Arc<Mutex<State>>);

pub(super) struct State {
    pub(super) height: u64,
    pub(super) headers: u64,
    pub(super) silent: bool,
    pub(super) address: &'static str,
    pub(super) template: Option<&'static str>,
    /// Fields added to the template.
    pub(super) more: &'static str,
    /// What it says to a proposed block, as JSON.
    pub(super) objection: &'static str,
    /// Addresses that were asked for.
    pub(super) asked: Vec<String>,
    pub(super) submitted: Vec<String>,
}

pub(in crate::templates) fn hash_at(height: u64) -> Hash {
    let mut bytes = [7; 32];
    bytes[..8].copy_from_slice(&height.to_le_bytes());
    Hash(bytes)
}

impl Chain {
    pub(in crate::templates) fn new(height: u64) -> Self {
        let address =
            r#"{"isvalid":true,"scriptPubKey":"0014000102030405060708090a0b0c0d0e0f10111213"}"#;
        Self(Arc::new(Mutex::new(State {
            height,
            headers: height,
            silent: false,
            address,
            template: None,
            more: "",
            objection: "null",
            asked: Vec::new(),
            submitted: Vec::new(),
        })))
    }

    pub(super) fn change(&self, f: impl FnOnce(&mut State)) {
        f(&mut self.0.lock().unwrap());
    }

    pub(in crate::templates) fn mine(&self) -> Hash {
        self.change(|state| {
            state.height += 1;
            state.headers = state.height;
        });
        hash_at(self.0.lock().unwrap().height)
    }

    pub(in crate::templates) fn daemon(&self) -> Daemon {
        let chain = self.clone();
        stub::daemon(move |method, body| chain.answer(method, body))
    }

    pub(super) fn answer(&self, method: &str, body: &str) -> Answer {
        let mut state = self.0.lock().unwrap();
        let State { height, headers, .. } = *state;
        if state.silent {
            return Answer::Silence;
        }
        match method {
            "getblockchaininfo" => Answer::Result(format!(
                r#"{{"chain":"regtest","blocks":{height},"headers":{headers},
                    "bestblockhash":"{}","difficulty":1,"initialblockdownload":{}}}"#,
                hash_at(height),
                headers > height
            )),
            "validateaddress" => {
                state.asked.push(body.to_owned());
                Answer::Result(state.address.to_owned())
            }
            "getblocktemplate" if body.contains("\"proposal\"") => {
                Answer::Result(state.objection.to_owned())
            }
            "getblocktemplate" => match state.template {
                Some(error) => Answer::Error(error.to_owned()),
                None => Answer::Result(format!(
                    r#"{{"version":536870912,"previousblockhash":"{}","transactions":[],
                        "coinbasevalue":5000000000,"curtime":1700000000,"mintime":1600000000,
                        "bits":"207fffff","height":{}{}}}"#,
                    hash_at(height),
                    height + 1,
                    state.more
                )),
            },
            "getblockheader" => {
                let known = (0..=height).find(|known| body.contains(&hash_at(*known).to_string()));
                match known {
                    Some(known) => {
                        Answer::Result(format!("{{\"confirmations\":{}}}", height - known + 1))
                    }
                    None => Answer::Error("{\"code\":-5,\"message\":\"Block not found\"}".into()),
                }
            }
            "submitblock" => {
                state.submitted.push(body.to_owned());
                Answer::Result("null".to_owned())
            }
            _ => Answer::Error("{\"code\":-32601,\"message\":\"Method not found\"}".to_owned()),
        }
    }
}
