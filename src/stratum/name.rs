//! User names: an address and, behind it, a rig.

/// The address in a user name: what stands before the first `.`, `_` or `/` (`address.rig`,
/// `address_rig`, `address/rig`; no address form has any of them).
#[must_use]
pub fn address_part(name: &str) -> &str {
    name.split(['.', '_', '/']).next().unwrap_or_default().trim()
}
