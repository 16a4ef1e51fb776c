//! What a daemon's word against a proposed block means, and where to look. Pure.

/// Beginning of the daemon's word, and what is wrong with the block then.
const MEANINGS: [(&str, &str); 17] = [
    (
        "bad-cb-amount",
        "the coinbase pays more than the block is worth: the coin demands something of its reward \
         (masternodes, founders, a fund) that romp does not know, or its template is wrong",
    ),
    (
        "bad-cb-payee",
        "the coinbase does not pay whom the coin demands (a masternode, a founder, a fund): is there \
         a field of `getblocktemplate` that belongs into `payees` of the coin file?",
    ),
    ("bad-cb-height", "the coin wants the height in its coinbase in another form"),
    ("bad-cb-length", "the coinbase's script is too short or too long: shorten `poolTag`"),
    ("bad-cb-", "the coinbase is not as the coin wants it"),
    ("bad-cbtx", "the coinbase's extra payload is not as the coin wants it (Dash's DIP 4)"),
    (
        "bad-txnmrklroot",
        "the merkle root differs: the coin makes transaction ids in its own way, or its coinbase \
         has another form (`txMessages`?)",
    ),
    (
        "bad-witness-merkle-match",
        "the witness commitment does not fit the transactions: the coin's segwit differs from \
         BIP 141",
    ),
    ("bad-witness-nonce-size", "the coinbase's witness is not as the coin wants it (BIP 141)"),
    (
        "unexpected-witness",
        "the block has a witness and the coin knows none yet: `segwit` does not belong into \
         `templateRules`",
    ),
    ("bad-diffbits", "the difficulty is not the chain's"),
    ("bad-version", "the block's version is too old for the coin"),
    ("time-too-", "the block's time is not one that the chain takes: look at the clocks"),
    ("bad-blk-length", "the block is larger than the coin allows"),
    ("bad-txns-", "a transaction of its own template is not one that the daemon takes"),
    ("mweb", "the block's MWEB part is missing or wrong: `mweb` belongs into `templateRules`"),
    ("bad-mweb", "the block's MWEB part is missing or wrong: `mweb` belongs into `templateRules`"),
];

/// What a daemon's word means, as far as romp knows.
pub(super) fn meaning(word: &str) -> &'static str {
    let known = MEANINGS.iter().find(|(beginning, _)| word.starts_with(beginning));
    known.map_or("the coin wants something that romp does not know", |(_, meaning)| meaning)
}

/// Whether the word says nothing against the block: its proof of work or its signature (which it has
/// not), or that the chain has gone on meanwhile.
pub(super) fn is_harmless(word: &str) -> Option<bool> {
    match word {
        "high-hash" => Some(true),
        // A coin of proof of stake: the daemon signs a block when it is submitted.
        word if word.starts_with("bad-blk-sign") => Some(true),
        word if word.contains("inconclusive") || word.contains("prevblk") => Some(false),
        "duplicate" => Some(false),
        _ => None,
    }
}
