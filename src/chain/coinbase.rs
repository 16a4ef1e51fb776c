//! The coinbase transaction, in two parts around salt and extranonces.
//!
//! Layout of the input script: height (BIP 34) | `coinbaseaux.flags` | one push of salt,
//! extranonce1 and extranonce2 | one push of the pool's tag. At most 100 bytes (consensus): the
//! tag is cut first, then the flags are left out.

use super::encode::{
    push, put_compact_size, put_sized, script_number, take, take_compact_size, take_slice,
};
use super::template::Payee;
use super::work::{Plan, SALT_AND_EXTRANONCE1, WorkError};
use super::{Template, address};
use crate::rewards::Amount;

/// Consensus' limit for the coinbase's input script.
const LONGEST_INPUT_SCRIPT: usize = 100;
/// Longest tag in bytes.
const LONGEST_TAG: usize = 40;
/// Transaction version and type of a coinbase with payload: 3, type 5 (Dash DIP 2, 4).
const VERSION_WITH_PAYLOAD: u32 = 5 << 16 | 3;
/// Parts of a whole in `Recipient::ppm`.
const MILLION: u128 = 1_000_000;

/// A coinbase in two parts.
pub(super) struct Coinbase {
    /// Up to the push opcode of salt and extranonces.
    pub(super) before: Vec<u8>,
    /// From the tag to the end.
    pub(super) after: Vec<u8>,
    /// What the pool's script receives.
    pub(super) pool_value: Amount,
}

/// One output.
struct Output<'a> {
    value: Amount,
    script: std::borrow::Cow<'a, [u8]>,
}

/// Builds the coinbase of a template.
pub(super) fn build(template: &Template, plan: &Plan) -> Result<Coinbase, WorkError> {
    let (outputs, pool_value) = outputs(template, plan)?;
    let (script_before, script_after) = input_script(template, plan);
    let nonces = SALT_AND_EXTRANONCE1 + usize::from(plan.extranonce2_size);
    let script_length = script_before.len() + nonces + script_after.len();

    let mut before = Vec::with_capacity(64);
    let version = match (&template.payload, &plan.tx_message) {
        (Some(_), _) => VERSION_WITH_PAYLOAD,
        (None, Some(_)) => 2,
        (None, None) => 1,
    };
    before.extend_from_slice(&version.to_le_bytes());
    if plan.proof_of_stake {
        before.extend_from_slice(&template.time.to_le_bytes());
    }
    before.push(1);
    before.extend_from_slice(&[0; 32]);
    before.extend_from_slice(&[0xff; 4]);
    put_compact_size(&mut before, script_length as u64);
    before.extend_from_slice(&script_before);

    let mut after = script_after;
    // Sequence 0, as NOMP: final with lock time 0, and what BIP 54 will ask for.
    after.extend_from_slice(&[0; 4]);
    put_compact_size(&mut after, outputs.len() as u64);
    for output in &outputs {
        after.extend_from_slice(&output.value.0.to_le_bytes());
        put_sized(&mut after, &output.script);
    }
    after.extend_from_slice(&[0; 4]);
    if let Some(payload) = &template.payload {
        put_sized(&mut after, payload);
    }
    if let Some(message) = &plan.tx_message {
        put_sized(&mut after, message.as_bytes());
    }
    Ok(Coinbase { before, after, pool_value })
}

/// The input script before and after the nonces.
fn input_script(template: &Template, plan: &Plan) -> (Vec<u8>, Vec<u8>) {
    let mut before = script_number(template.height);
    let nonces = SALT_AND_EXTRANONCE1 + usize::from(plan.extranonce2_size);
    let room = LONGEST_INPUT_SCRIPT.saturating_sub(before.len() + 1 + nonces);
    if template.aux_flags.len() <= room {
        before.extend_from_slice(&template.aux_flags);
    }
    #[expect(clippy::cast_possible_truncation, reason = "at most 8 + 255; config allows 4..=8")]
    before.push(nonces as u8);
    // One byte for the push opcode of the tag.
    let room = LONGEST_INPUT_SCRIPT.saturating_sub(before.len() + nonces + 1).min(LONGEST_TAG);
    let mut end = plan.tag.len().min(room);
    while !plan.tag.is_char_boundary(end) {
        end -= 1;
    }
    let tag = plan.tag.get(..end).unwrap_or_default();
    (before, if tag.is_empty() { Vec::new() } else { push(tag.as_bytes()) })
}

/// The outputs in NOMP's order (witness commitment, pool, what the coin demands, fee recipients)
/// and the pool's amount. Their sum is the coinbase value. The key that signs a proof-of-stake
/// coin's block is that of the first output: there the pool comes before the commitment.
fn outputs<'a>(
    template: &'a Template,
    plan: &'a Plan,
) -> Result<(Vec<Output<'a>>, Amount), WorkError> {
    let overspent = || WorkError::Overspent(template.coinbase_value);
    let mut demanded = Vec::with_capacity(template.payments.len());
    let mut rest = template.coinbase_value;
    for payment in &template.payments {
        rest = rest.checked_sub(payment.amount).ok_or_else(overspent)?;
        let script = match &payment.payee {
            Payee::Script(script) => script.into(),
            Payee::Address(text) => address::script(text, &plan.addresses, plan.network)
                .map_err(WorkError::Payee)?
                .into(),
        };
        demanded.push(Output { value: payment.amount, script });
    }
    // Each recipient's share is of what the coin leaves, not of what other recipients leave.
    let shared = u128::from(rest.0);
    let mut fees = Vec::with_capacity(plan.recipients.len());
    for recipient in &plan.recipients {
        let value = shared * u128::from(recipient.ppm) / MILLION;
        let value = Amount(u64::try_from(value).map_err(|_| overspent())?);
        rest = rest.checked_sub(value).ok_or_else(overspent)?;
        if value.0 > 0 {
            fees.push(Output { value, script: recipient.script.as_slice().into() });
        }
    }
    let commitment = template.witness_commitment.as_deref();
    let mut outputs: Vec<_> = commitment
        .map(|script| Output { value: Amount(0), script: script.into() })
        .into_iter()
        .collect();
    let place = if plan.proof_of_stake { 0 } else { outputs.len() };
    outputs.insert(place, Output { value: rest, script: plan.pool_script.as_slice().into() });
    outputs.extend(demanded);
    outputs.extend(fees);
    Ok((outputs, rest))
}

/// The coinbase as it stands in a segwit block: with marker, flag and the reserved value of 32
/// zero bytes (BIP 141, 144). What is no transaction comes back unchanged. `timed`: a time follows
/// the version, and belongs before the marker.
pub(super) fn with_witness(coinbase: &[u8], timed: bool) -> Vec<u8> {
    let Some((version, body, tail)) = split(coinbase, timed) else {
        return coinbase.to_vec();
    };
    // One witness stack of one item.
    let witness = [&[1, 32], [0; 32].as_slice()].concat();
    [version, &[0, 1], body, &witness, tail].concat()
}

/// Version and time; inputs and outputs; lock time and what follows.
fn split(transaction: &[u8], timed: bool) -> Option<(&[u8], &[u8], &[u8])> {
    let (version, body) = transaction.split_at_checked(if timed { 8 } else { 4 })?;
    let mut rest = body;
    for _ in 0..take_compact_size(&mut rest)? {
        take::<36>(&mut rest)?;
        let length = take_compact_size(&mut rest)?;
        take_slice(&mut rest, length)?;
        take::<4>(&mut rest)?;
    }
    for _ in 0..take_compact_size(&mut rest)? {
        take::<8>(&mut rest)?;
        let length = take_compact_size(&mut rest)?;
        take_slice(&mut rest, length)?;
    }
    let (body, tail) = body.split_at_checked(body.len() - rest.len())?;
    (tail.len() >= 4).then_some((version, body, tail))
}
