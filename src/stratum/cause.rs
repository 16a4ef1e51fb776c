//! Why a connection was refused or ended: one word for counters, one sentence for the log.

use std::fmt;

/// Why a connection was refused or ended by the pool. The discriminant is the counter's place on
/// the board, so there are no gaps.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Cause {
    /// Its network is banned.
    Banned,
    /// As many connections from its address or network as are allowed.
    TooMany,
    /// Newcomers from its address follow each other too quickly.
    ConnectRate,
    /// No descriptors left for newcomers: accepting rests. Counted once a rest, not a newcomer.
    Descriptors,
    /// A line that is too long.
    LineTooLong,
    /// Too many requests other than shares.
    RequestRate,
    /// Too many shares.
    SubmitRate,
    /// Too many refused shares.
    RefusedRate,
    /// Lines that are no requests, one after the other.
    BadLines,
    /// Mostly bad shares and lines.
    BadConduct,
    /// Not a byte in time.
    Silent,
    /// Not subscribed in time.
    NotSubscribed,
    /// Not authorised in time.
    NotAuthorized,
    /// No share for too long.
    Idle,
    /// More waits for it than may wait.
    OutputFull,
    /// What was sent waits for too long.
    OutputOld,
    /// A browser.
    Http,
    /// A TLS handshake.
    Tls,
    /// Another mining protocol.
    OtherProtocol,
    /// No sound PROXY header from a trusted proxy, or one from somebody else.
    ProxyHeader,
    /// Too many names refused.
    RefusedNames,
    /// It cannot be given another extranonce.
    Extranonce,
    /// It had no share accepted, and the worker is full.
    MadeRoom,
    /// TLS that cannot be agreed on, is broken or takes too long.
    TlsFailed,
    /// No TLS where nothing else is spoken.
    NotTls,
    /// As many connections mine for its account as are allowed: the name is refused.
    TooManyOfAccount,
}

impl Cause {
    /// How many there are.
    pub const COUNT: usize = Self::ALL.len();

    /// Every cause, in the order of the discriminants.
    pub const ALL: [Self; 26] = [
        Self::Banned,
        Self::TooMany,
        Self::ConnectRate,
        Self::Descriptors,
        Self::LineTooLong,
        Self::RequestRate,
        Self::SubmitRate,
        Self::RefusedRate,
        Self::BadLines,
        Self::BadConduct,
        Self::Silent,
        Self::NotSubscribed,
        Self::NotAuthorized,
        Self::Idle,
        Self::OutputFull,
        Self::OutputOld,
        Self::Http,
        Self::Tls,
        Self::OtherProtocol,
        Self::ProxyHeader,
        Self::RefusedNames,
        Self::Extranonce,
        Self::MadeRoom,
        Self::TlsFailed,
        Self::NotTls,
        Self::TooManyOfAccount,
    ];

    /// The stable name in `romp status --json`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Banned => "banned",
            Self::TooMany => "too-many-connections",
            Self::ConnectRate => "connect-rate",
            Self::Descriptors => "descriptors",
            Self::LineTooLong => "line-too-long",
            Self::RequestRate => "request-rate",
            Self::SubmitRate => "submit-rate",
            Self::RefusedRate => "refused-rate",
            Self::BadLines => "bad-lines",
            Self::BadConduct => "bad-conduct",
            Self::Silent => "silent",
            Self::NotSubscribed => "not-subscribed",
            Self::NotAuthorized => "not-authorized",
            Self::Idle => "idle",
            Self::OutputFull => "output-full",
            Self::OutputOld => "output-old",
            Self::Http => "http",
            Self::Tls => "tls",
            Self::OtherProtocol => "other-protocol",
            Self::ProxyHeader => "proxy-header",
            Self::RefusedNames => "refused-names",
            Self::Extranonce => "extranonce",
            Self::MadeRoom => "made-room",
            Self::TlsFailed => "tls-failed",
            Self::NotTls => "not-tls",
            Self::TooManyOfAccount => "too-many-of-account",
        }
    }

    /// In words, for the log.
    #[must_use]
    pub const fn words(self) -> &'static str {
        match self {
            Self::Banned => "its address is banned",
            Self::TooMany => "too many connections from its address",
            Self::ConnectRate => "too many new connections from its address",
            Self::Descriptors => "no open files left",
            Self::LineTooLong => "line too long",
            Self::RequestRate => "flood of requests",
            Self::SubmitRate => "flood of shares",
            Self::RefusedRate => "too many refused shares",
            Self::BadLines => "too many bad lines in a row",
            Self::BadConduct => "too many bad shares",
            Self::Silent => "said nothing in time",
            Self::NotSubscribed => "not subscribed in time",
            Self::NotAuthorized => "not authorized in time",
            Self::Idle => "no share within connectionTimeout",
            Self::OutputFull => "does not read what it is sent",
            Self::OutputOld => "takes what it is sent too slowly",
            Self::Http => "HTTP on a stratum port",
            Self::Tls => "TLS on a plain stratum port",
            Self::OtherProtocol => "not Stratum v1",
            Self::ProxyHeader => "no sound PROXY header from a trusted proxy",
            Self::RefusedNames => "too many refused worker names",
            Self::Extranonce => "the miner cannot change its extranonce",
            Self::MadeRoom => "made room for newcomers: it had no share accepted",
            Self::TlsFailed => "TLS failed or took too long",
            Self::NotTls => "no TLS on a port that speaks nothing else",
            Self::TooManyOfAccount => "too many connections for its account",
        }
    }

    /// What the miner is told before the end; `None` where nobody would read it.
    #[must_use]
    pub const fn advice(self) -> Option<&'static str> {
        Some(match self {
            Self::TooMany => {
                "too many connections from your address; ask the pool to raise the limit"
            }
            Self::ConnectRate => {
                "too many new connections from your address; try again in 30 seconds"
            }
            Self::LineTooLong => "your line is too long",
            Self::RequestRate => "too many requests; slow down",
            Self::SubmitRate => "too many shares; raise your difficulty",
            Self::RefusedRate => "too many of your shares are refused; connecting again may help",
            Self::BadLines => "this port speaks Stratum v1: one JSON object a line",
            Self::BadConduct => "too many of your shares are bad",
            Self::NotAuthorized => "no mining.authorize in time",
            Self::Idle => "no share for too long",
            Self::RefusedNames => "too many refused worker names",
            Self::MadeRoom => "the pool is full: who has no share yet makes room for others",
            Self::NotTls => "this port speaks TLS only: use stratum+ssl:// or another port",
            _ => return None,
        })
    }
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.words())
    }
}

#[cfg(test)]
mod tests {
    use super::Cause;
    use std::collections::BTreeSet;

    #[test]
    fn places_have_no_gaps_and_names_are_unique() {
        for (place, cause) in Cause::ALL.into_iter().enumerate() {
            assert_eq!(cause as usize, place, "{cause:?}");
        }
        let names: BTreeSet<_> = Cause::ALL.iter().map(|cause| cause.name()).collect();
        assert_eq!(names.len(), Cause::COUNT);
    }
}
