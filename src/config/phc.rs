//! Passwords that are kept as hashes: argon2id, written as a PHC string.

use argon2::{Argon2, PasswordHash, PasswordHasher, PasswordVerifier};

/// Most memory (KiB) that a hash may ask for: a slip here would stop the site.
const MOST_MEMORY: u32 = 256 * 1024;
/// Most passes over it.
const MOST_PASSES: u32 = 20;
/// Shortest password, letters.
pub const SHORTEST: usize = 12;

/// Whether a text is such a hash, and one that can be computed within bounds.
///
/// # Errors
/// In words.
pub fn check(text: &str) -> Result<(), String> {
    let hash = PasswordHash::new(text).map_err(|_| "no hash of a password".to_owned())?;
    if hash.algorithm != argon2::ARGON2ID_IDENT || hash.salt.is_none() || hash.hash.is_none() {
        return Err("no argon2id hash".to_owned());
    }
    let bounds = [("m", MOST_MEMORY), ("t", MOST_PASSES), ("p", 16)];
    for (name, most) in bounds {
        if hash.params.get_decimal(name).is_none_or(|value| value > most) {
            return Err(format!("an argon2id hash whose `{name}` is not from 1 to {most}"));
        }
    }
    argon2::Params::try_from(&hash)
        .map_err(|_| "an argon2id hash with odd parameters".to_owned())?;
    Ok(())
}

/// Whether the password is the one of the hash. Takes some 30 ms and 19 MiB, as `make` has it.
#[must_use]
pub fn verify(hash: &str, password: &str) -> bool {
    check(hash).is_ok() && Argon2::default().verify_password(password.as_bytes(), hash).is_ok()
}

/// The hash of a password, by a salt that was never used before.
///
/// # Errors
/// In words, when the password is too short.
pub fn make(password: &str, salt: [u8; 16]) -> Result<String, String> {
    if password.chars().count() < SHORTEST {
        return Err(format!("a password needs at least {SHORTEST} letters"));
    }
    let made = Argon2::default().hash_password_with_salt(password.as_bytes(), &salt);
    made.map(|hash| hash.to_string()).map_err(|error| error.to_string())
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn a_password_fits_its_hash_and_no_other() {
        let hash = make("correct horse", [7; 16]).unwrap();
        assert!(hash.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{hash}");
        assert_eq!(check(&hash), Ok(()));
        assert!(verify(&hash, "correct horse"));
        assert!(!verify(&hash, "correct horsf") && !verify(&hash, "") && !verify(&hash, &hash));
        assert_ne!(hash, make("correct horse", [8; 16]).unwrap());
        assert!(make("short", [7; 16]).is_err());
    }

    #[test]
    fn what_is_no_hash_or_costs_too_much_is_refused() {
        let hash = make("correct horse", [7; 16]).unwrap();
        for text in [
            "password".to_owned(),
            String::new(),
            "$argon2id$".to_owned(),
            hash.replace("argon2id", "argon2i"),
            hash.replace("m=19456", "m=4000000000"),
            hash.replace("t=2", "t=1000"),
            hash.replace("p=1", "p=200"),
            hash.replace("m=19456,", ""),
            hash.rsplit_once('$').unwrap().0.to_owned(),
        ] {
            assert!(check(&text).is_err(), "{text}");
            assert!(!verify(&text, "correct horse"), "{text}");
        }
    }
}
