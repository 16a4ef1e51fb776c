//! Outputs that a coin demands of every block: masternodes, superblocks, founders, funds.
//!
//! Coins invent names and keep the shape: an object, or an array of objects, with whom and how
//! much. So they are read by shape.

use super::{LONGEST_SCRIPT, Raw, TemplateError, hex_field, shape};
use crate::rewards::Amount;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use serde_json::{Map, Value};
use std::collections::BTreeMap;

/// A field of a coin's templates that demands outputs and that romp does not look for by itself, or
/// understands otherwise: `payees` of a coin file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PayeeField {
    /// The field's name. It holds an object or an array of objects.
    pub field: String,
    /// Then `field` holds an address only, and this one the amount, in the smallest unit.
    pub amount: Option<String>,
    /// What it demands comes on top of `coinbasevalue`, which is less than the block pays then.
    pub on_top: bool,
}

/// What a template demands.
pub(super) struct Demanded {
    /// In the order in which it is paid.
    pub(super) payments: Vec<Payment>,
    /// All that the coinbase pays.
    pub(super) coinbase_value: Amount,
}

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

/// All outputs that the coin demands, in NOMP's order: `masternode`, `superblock`, others, `payee`;
/// then those of the coin file.
pub(super) fn all(
    raw: &Raw<'_>,
    json: &str,
    fields: &[PayeeField],
) -> Result<Demanded, TemplateError> {
    let named = |name: &str| fields.iter().any(|one| one.field == name);
    let mut payments = Vec::new();
    for (name, value) in [
        ("masternode", &raw.masternode),
        ("superblock", &raw.superblock),
        ("znode", &raw.znode),
        ("evoznode", &raw.evoznode),
        ("smartnode", &raw.smartnode),
        ("founder", &raw.founder),
        ("founderreward", &raw.founderreward),
        ("foundation", &raw.foundation),
        ("community", &raw.community),
        ("fundingstreams", &raw.fundingstreams),
        ("devfee", &raw.devfee),
        ("devreward", &raw.devreward),
        ("coinbase_devreward", &raw.coinbase_devreward),
        ("coinbasedevreward", &raw.coinbasedevreward),
    ] {
        if let Some(value) = value
            && !named(name)
        {
            read(name, value, &mut payments)?;
        }
    }
    // Daemons between the two forms print the masternode's payee twice.
    if let Some(payee) = raw.payee.as_deref().filter(|payee| !payee.is_empty())
        && !named("payee")
        && !payments.iter().any(|payment| payment.address.as_deref() == Some(payee))
    {
        check_address("payee", payee)?;
        let fixed: u64 =
            payments.iter().map(|payment| payment.amount.0).fold(0, u64::saturating_add);
        // NOMP: without an amount, a fifth of what is left, rounded up.
        let fifth = raw.coinbasevalue.saturating_sub(fixed).div_ceil(5);
        let amount = Amount(raw.payee_amount.unwrap_or(fifth));
        if amount.0 > 0 {
            payments.push(Payment::to_address(payee, amount));
        }
    }
    let coinbase_value = of_coin_file(raw, json, fields, &mut payments)?;
    Ok(Demanded { payments, coinbase_value })
}

/// What the fields that the coin file names demand; all that the coinbase pays.
fn of_coin_file(
    raw: &Raw<'_>,
    json: &str,
    fields: &[PayeeField],
    payments: &mut Vec<Payment>,
) -> Result<Amount, TemplateError> {
    let mut coinbase_value = raw.coinbasevalue;
    if fields.is_empty() {
        return Ok(Amount(coinbase_value));
    }
    let values: BTreeMap<String, &RawValue> =
        serde_json::from_str(json).map_err(|error| shape(error.to_string()))?;
    let value = |name: &str| -> Value {
        let value = values.get(name).and_then(|value| serde_json::from_str(value.get()).ok());
        value.unwrap_or_default()
    };
    for PayeeField { field, amount, on_top } in fields {
        let before = payments.len();
        match (amount, value(field)) {
            (None, value) => read(field, &value, payments)?,
            (Some(_), Value::Null) => {}
            (Some(_), Value::String(address)) if address.is_empty() => {}
            (Some(amount), Value::String(address)) => {
                check_address(field, &address)?;
                let sum = value(amount).as_u64().ok_or_else(|| {
                    shape(format!("`{amount}` is not a whole number of the smallest unit"))
                })?;
                if sum > 0 {
                    payments.push(Payment::to_address(&address, Amount(sum)));
                }
            }
            (Some(_), _) => return Err(shape(format!("`{field}` is no address"))),
        }
        if *on_top {
            for payment in payments.iter().skip(before) {
                coinbase_value = coinbase_value
                    .checked_add(payment.amount.0)
                    .ok_or_else(|| shape(format!("`{field}` demands more than there can be")))?;
            }
        }
    }
    Ok(Amount(coinbase_value))
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
