//! A wallet and a chain that can end at every call.

use crate::chain::transaction::{Output, Transaction, unfunded};
use crate::chain::{Hash, hex_decode, hex_encode};
use crate::daemon::stub::Answer;
use crate::rewards::Amount;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};

/// The pool's height of a block, and what it pays.
pub(super) const HEIGHT: u64 = 7;
pub(super) const VALUE: u64 = 2_500_000_001;

/// When the world ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Death {
    /// The call was not executed.
    Before,
    /// The call was executed, and nobody hears of it.
    After,
}

#[derive(Debug, Default)]
pub(super) struct World {
    pub(super) calls: usize,
    pub(super) death: Option<(usize, Death)>,
    pub(super) died: bool,
    /// Height of the tip.
    pub(super) tip: u64,
    /// The block is on another branch.
    pub(super) gone: bool,
    /// Money of the wallet, smallest unit.
    pub(super) money: u64,
    /// Inputs that were given out: every funded transaction is another one.
    pub(super) inputs: u8,
    /// All that was ever sent: transaction and confirmations.
    pub(super) sent: BTreeMap<String, (Transaction, i64)>,
    /// Height of the tip then.
    pub(super) sent_at: BTreeMap<String, u64>,
    /// Another wallet is loaded.
    pub(super) is_theirs: bool,
    /// What stands in the place of a payout, by its id.
    pub(super) twins: BTreeMap<String, Transaction>,
    /// How deep they are, if not 120.
    pub(super) twin_depth: Option<i64>,
    /// What was given out as inputs is worth: by transaction id.
    pub(super) worth: BTreeMap<String, u64>,
    /// Of these, what something else has spent, in the chain.
    pub(super) spent: BTreeSet<String>,
    /// Of these, what the wallet keeps from being spent.
    pub(super) locked: BTreeSet<String>,
    /// What the wallet hides of its fees, smallest unit.
    pub(super) hidden: u64,
    /// Outputs that are odd pass.
    pub(super) is_lenient: bool,
    /// The wallet knows no raw transactions.
    pub(super) no_raw: bool,
    /// What `sendmany` was given to keep, by transaction id.
    pub(super) marks: BTreeMap<String, String>,
    /// Bytes of what `sendmany` sent.
    pub(super) bytes: BTreeMap<String, Vec<u8>>,
    /// Answers to calls that were executed all the same, by method.
    pub(super) lies: BTreeMap<&'static str, String>,
    /// Seconds since the daemon was started.
    pub(super) uptime: u64,
    /// The wallet tells no bytes of its transactions.
    pub(super) no_hex: bool,
    /// Answers in place of the real ones, by method.
    pub(super) refusals: BTreeMap<&'static str, String>,
}

/// The script that a name stands for, of P2SH's shape, or of Taproot's.
pub(super) fn script(name: &str) -> Vec<u8> {
    if name.starts_with("taproot") {
        return [&[0x51, 32][..], format!("{name:.<32}").as_bytes()].concat();
    }
    [&[0xa9, 20][..], format!("{name:.<20}").as_bytes(), &[0x87]].concat()
}

impl World {
    pub(super) fn answer(&mut self, method: &str, body: &str) -> Answer {
        let call = self.calls;
        self.calls += 1;
        let death = self.death.filter(|(at, _)| *at == call).map(|(_, death)| death);
        if death == Some(Death::Before) {
            self.died = true;
            return Answer::Raw(Vec::new());
        }
        let params = serde_json::from_str::<Value>(body).unwrap()["params"].clone();
        let answer = match self.refusals.get(method) {
            Some(refusal) => Answer::Error(refusal.clone()),
            None => self.execute(method, &params),
        };
        let answer = match self.lies.get(method) {
            Some(lie) => Answer::Error(lie.clone()),
            None => answer,
        };
        if death == Some(Death::After) {
            self.died = true;
            return Answer::Raw(Vec::new());
        }
        answer
    }

    fn execute(&mut self, method: &str, params: &Value) -> Answer {
        let text = params[0].as_str().unwrap_or_default();
        let unknown = || Answer::Error(json!({"code": -5, "message": "unknown"}).to_string());
        let result = match method {
            "getblockchaininfo" => json!({
                "chain": "regtest", "blocks": self.tip, "headers": self.tip,
                "bestblockhash": format!("{:064x}", self.tip), "initialblockdownload": false,
            }),
            "getblockheader" => {
                let depth = i64::try_from(self.tip - HEIGHT + 1).unwrap();
                json!({"confirmations": if self.gone { -1 } else { depth }, "height": HEIGHT})
            }
            "gettransaction" if text == coinbase().to_string() => {
                let ready = self.tip >= HEIGHT + 100;
                let category = if ready { "generate" } else { "immature" };
                return Answer::Result(format!(
                    r#"{{"confirmations":1,"details":[{{"category":"{category}","amount":{}}}],
                        "{}":"{}"}}"#,
                    Amount(VALUE),
                    if self.no_hex { "more" } else { "hex" },
                    hex_encode(&reward())
                ));
            }
            "gettransaction" => match (self.sent.get(text), self.twins.get(text)) {
                (_, Some(twin)) => {
                    let bytes = spending(twin.inputs[0], &twin.outputs);
                    let depth = self.twin_depth.unwrap_or(120);
                    json!({
                        "confirmations": depth,
                        "hex": if self.no_hex { String::new() } else { hex_encode(&bytes) },
                        "blockhash": Hash([0xb0; 32]), "walletconflicts": self.conflicts_of(twin),
                    })
                }
                (Some((sent, confirmations)), _) => {
                    let twins: Vec<&String> = self.twins.keys().collect();
                    let spent = hex_encode(&spending(sent.inputs[0], &sent.outputs));
                    let told = self.bytes.get(text).map_or(spent, |bytes| hex_encode(bytes));
                    let hex = if self.no_hex { String::new() } else { told };
                    json!({
                        "confirmations": confirmations, "walletconflicts": twins,
                        "hex": hex, "fee": -0.00002,
                    })
                }
                _ if self.worth.contains_key(text) => json!({"confirmations": 5}),
                _ => return unknown(),
            },
            "getrawtransaction" if text == coinbase().to_string() => json!(hex_encode(&reward())),
            "getrawtransaction" => match self.bytes.get(text) {
                Some(bytes) => json!(hex_encode(bytes)),
                None => return unknown(),
            },
            "gettxout" => match self.worth.get(text).filter(|_| !self.spent.contains(text)) {
                Some(&worth) => {
                    return Answer::Result(format!(
                        r#"{{"value":{}}}"#,
                        Amount(worth + self.hidden)
                    ));
                }
                None => json!(null),
            },
            "lockunspent" => {
                for output in params[1].as_array().unwrap() {
                    let txid = output["txid"].as_str().unwrap().to_owned();
                    let done = match params[0] == json!(true) {
                        true => self.locked.remove(&txid),
                        false => self.locked.insert(txid),
                    };
                    if !done {
                        let refusal = json!({"code": -8, "message": "already"});
                        return Answer::Error(refusal.to_string());
                    }
                }
                json!(true)
            }
            "listsinceblock" => {
                // What was sent at a tip is in a later block.
                let height = u64::from_str_radix(text, 16).unwrap();
                let sent = self.sent_at.iter().filter(|(_, tip)| **tip >= height);
                let entry = |txid: &String| json!({"category": "send", "txid": txid, "comment": self.marks.get(txid)});
                let all = self.twins.keys().chain(sent.map(|(txid, _)| txid));
                let all: BTreeSet<&String> = all.chain(self.marks.keys()).collect();
                // Each is there twice, as one of two outputs is.
                let all = all.into_iter().flat_map(|txid| [entry(txid), entry(txid)]);
                json!({"transactions": all.collect::<Vec<_>>()})
            }
            "getblockhash" => json!("22".repeat(32)),
            "getaddressinfo" => json!({"ismine": !self.is_theirs}),
            "getbalance" => return Answer::Result(Amount(self.money).to_string()),
            "validateaddress" => {
                json!({"isvalid": text != "nobody", "scriptPubKey": hex_encode(&script(text))})
            }
            "fundrawtransaction"
            | "testmempoolaccept"
            | "signrawtransactionwithwallet"
            | "sendrawtransaction"
                if self.no_raw =>
            {
                return Answer::Error(json!({"code": -32601, "message": "no"}).to_string());
            }
            "sendmany" => return self.send_many(params),
            "uptime" => json!(self.uptime),
            "fundrawtransaction" => {
                let mut bytes = hex_decode(text).unwrap();
                if text.contains(&hex_encode(&script("tiny"))) {
                    let words = "Transaction amount too small";
                    return Answer::Error(json!({"code": -4, "message": words}).to_string());
                }
                self.inputs += 1;
                bytes.splice(
                    4..5,
                    [vec![1, self.inputs], vec![9; 35], vec![0, 255, 255, 255, 255]].concat(),
                );
                let read = Transaction::parse(&bytes).unwrap();
                let paid: u64 = read.outputs.iter().map(|output| output.value.0).sum();
                self.worth.insert(read.inputs[0].0.to_string(), paid + 1000);
                json!({"hex": hex_encode(&bytes), "fee": 0.00001})
            }
            "testmempoolaccept" => {
                let bytes = hex_decode(params[0][0].as_str().unwrap()).unwrap();
                let read = Transaction::parse(&bytes).unwrap();
                let pays = |name| read.outputs.iter().any(|output| output.script == script(name));
                let reason = if pays("dusty") { "dust" } else { "scriptpubkey" };
                let is_odd = pays("odd") || pays("dusty");
                json!([{"allowed": !is_odd || self.is_lenient, "reject-reason": reason}])
            }
            "signrawtransactionwithwallet" => json!({"hex": text, "complete": true}),
            "sendrawtransaction" => {
                let read = Transaction::parse(&hex_decode(text).unwrap()).unwrap();
                if read.inputs.iter().any(|(txid, _)| self.spent.contains(&txid.to_string())) {
                    let refusal = json!({"code": -25, "message": "missing inputs"});
                    return Answer::Error(refusal.to_string());
                }
                let txid = read.txid.to_string();
                self.sent_at.entry(txid.clone()).or_insert(self.tip);
                self.sent.entry(txid.clone()).or_insert((read, 0));
                json!(txid)
            }
            _ => return Answer::Error(json!({"code": -32601, "message": "no"}).to_string()),
        };
        Answer::Result(result.to_string())
    }

    /// What was sent and spends the same as a twin.
    fn conflicts_of(&self, twin: &Transaction) -> Vec<&String> {
        let same = |(_, (sent, _)): &(&String, &(Transaction, i64))| sent.inputs == twin.inputs;
        self.sent.iter().filter(same).map(|(txid, _)| txid).collect()
    }

    /// Pays in an order of its own, with change in the middle.
    fn send_many(&mut self, params: &Value) -> Answer {
        let refuse = |code: i32, words: &str| {
            Answer::Error(json!({"code": code, "message": words}).to_string())
        };
        let payments = params[1].as_object().unwrap();
        if payments.contains_key("refused") {
            return refuse(-5, "Invalid address: refused");
        }
        if payments.contains_key("tiny") {
            return refuse(-4, "Transaction amount too small");
        }
        let mut outputs: Vec<Output> = payments
            .iter()
            .rev()
            .map(|(name, amount)| {
                let value = Amount::from_coins(&amount.to_string()).unwrap();
                Output { value, script: script(name) }
            })
            .collect();
        outputs.insert(outputs.len() / 2, Output { value: Amount(7), script: script("change") });
        self.inputs += 1;
        let mut bytes = unfunded(&outputs);
        let input = [vec![1, self.inputs], vec![9; 35], vec![0, 255, 255, 255, 255]].concat();
        bytes.splice(4..5, input);
        let read = Transaction::parse(&bytes).unwrap();
        let txid = read.txid.to_string();
        self.marks.insert(txid.clone(), params[3].as_str().unwrap().to_owned());
        self.bytes.insert(txid.clone(), bytes);
        self.sent.insert(txid.clone(), (read, 0));
        Answer::Result(json!(txid).to_string())
    }

    /// What each script was paid by all that was ever sent.
    pub(super) fn paid(&self) -> BTreeMap<Vec<u8>, u64> {
        let mut paid = BTreeMap::new();
        for output in self.sent.values().flat_map(|(sent, _)| &sent.outputs) {
            *paid.entry(output.script.clone()).or_default() += output.value.0;
        }
        paid
    }
}

/// A transaction with these outputs and some input.
pub(super) fn paying(outputs: &[Output]) -> Vec<u8> {
    spending((Hash([8; 32]), 8), outputs)
}

/// A transaction with these outputs and that input.
pub(super) fn spending((txid, n): (Hash, u32), outputs: &[Output]) -> Vec<u8> {
    let mut bytes = unfunded(outputs);
    let input = [vec![1], txid.0.to_vec(), n.to_le_bytes().to_vec(), vec![0, 255, 255, 255, 255]];
    bytes.splice(4..5, input.concat());
    bytes
}

/// The reward's transaction.
fn reward() -> Vec<u8> {
    paying(&[Output { value: Amount(VALUE), script: script("pool") }])
}

pub(super) fn coinbase() -> Hash {
    Transaction::parse(&reward()).unwrap().txid
}
