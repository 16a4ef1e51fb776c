//! Outputs that a coin demands of every block: masternodes, superblocks, founders, funds.
//!
//! Coins invent names and keep the shape: an object, or an array of objects, with whom and how
//! much. So they are read by shape.

use super::{LONGEST_SCRIPT, TemplateError, hex_field, shape};
use crate::rewards::Amount;
use serde_json::{Map, Value};

/// Whom a demanded output pays.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::chain) enum Payee {
    /// Output script.
    Script(Vec<u8>),
    /// Address text, when the daemon gave no script.
    Address(String),
}

/// One demanded output.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::chain) struct Payment {
    /// Whom it pays.
    pub(in crate::chain) payee: Payee,
    /// The address as the daemon printed it, also beside a script.
    pub(in crate::chain) address: Option<String>,
    /// How much; never zero.
    pub(in crate::chain) amount: Amount,
}

impl Payment {
    /// A payment to an address.
    pub(in crate::chain) fn to_address(address: &str, amount: Amount) -> Self {
        Self {
            payee: Payee::Address(address.to_owned()),
            address: Some(address.to_owned()),
            amount,
        }
    }
}

/// Refuses an address that is none.
pub(super) fn check_address(name: &str, address: &str) -> Result<(), TemplateError> {
    if address.len() > LONGEST_ADDRESS {
        return Err(shape(format!(
            "the address of `{name}` is longer than {LONGEST_ADDRESS} bytes"
        )));
    }
    Ok(())
}

/// Longest address: errors name it.
const LONGEST_ADDRESS: usize = 128;

/// Most outputs that one field may demand.
const MOST_OUTPUTS: usize = 1000;

/// Names under which daemons print the output script, the address and the amount.
const SCRIPT: [&str; 3] = ["script", "scriptpubkey", "scriptPubKey"];
const ADDRESS: [&str; 3] = ["payee", "address", "recipient"];
const AMOUNT: [&str; 4] = ["amount", "value", "valueZat", "valueSat"];

/// Reads the outputs of one field, in object or array form.
pub(super) fn read(
    name: &str,
    value: &Value,
    payments: &mut Vec<Payment>,
) -> Result<(), TemplateError> {
    match value {
        Value::Null | Value::Bool(false) => Ok(()),
        Value::Object(one) => read_one(name, one, payments),
        Value::Array(many) if many.len() > MOST_OUTPUTS => {
            Err(shape(format!("`{name}` has more than {MOST_OUTPUTS} entries")))
        }
        Value::Array(many) => {
            for (index, one) in many.iter().enumerate() {
                let name = format!("{name}[{index}]");
                match one {
                    Value::Object(one) => read_one(&name, one, payments)?,
                    _ => return Err(shape(format!("`{name}` is not an object"))),
                }
            }
            Ok(())
        }
        _ => Err(shape(format!("`{name}` is neither an object nor an array of objects"))),
    }
}

fn read_one(
    name: &str,
    one: &Map<String, Value>,
    payments: &mut Vec<Payment>,
) -> Result<(), TemplateError> {
    // An empty object means that nobody is paid in this block.
    let text = |keys: &[&str]| {
        let mut found = keys.iter().filter_map(|key| one.get(*key)?.as_str());
        found.find(|text| !text.is_empty()).map(str::to_owned)
    };
    let (script, address) = (text(&SCRIPT), text(&ADDRESS));
    check_address(name, address.as_deref().unwrap_or_default())?;
    let amount = AMOUNT.iter().find_map(|key| one.get(*key));
    let amount = match amount {
        None if script.is_none() && address.is_none() => return Ok(()),
        Some(amount) => amount.as_u64(),
        None => None,
    };
    let amount = amount.ok_or_else(|| {
        shape(format!("`{name}.amount` is not a whole number of the smallest unit"))
    })?;
    if amount == 0 {
        return Ok(());
    }
    let payee = match (script, &address) {
        (Some(script), _) => {
            Payee::Script(hex_field(format_args!("{name}.script"), &script, LONGEST_SCRIPT)?)
        }
        (None, Some(address)) => Payee::Address(address.clone()),
        (None, None) => return Err(shape(format!("`{name}` has neither script nor payee"))),
    };
    payments.push(Payment { payee, address, amount: Amount(amount) });
    Ok(())
}
