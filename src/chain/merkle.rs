//! Merkle trees: the branch that leads from the coinbase to the root.

use super::{Hash, sha256d};

/// sha256d of two hashes side by side: an inner node.
fn node(left: &Hash, right: &Hash) -> Hash {
    let mut pair = [0; 64];
    let (low, high) = pair.split_at_mut(32);
    low.copy_from_slice(&left.0);
    high.copy_from_slice(&right.0);
    sha256d(&pair)
}

/// The branch of the first leaf (the coinbase, whose hash is not yet known), given the other
/// leaves in order. An odd level repeats its last node.
pub(super) fn branch(mut others: Vec<Hash>) -> Vec<Hash> {
    let mut branch = Vec::new();
    // `others` are the nodes of a level without its first, which depends on the coinbase.
    while let Some((sibling, rest)) = others.split_first() {
        branch.push(*sibling);
        others = rest
            .chunks(2)
            .filter_map(|pair| pair.first().map(|left| node(left, pair.last().unwrap_or(left))))
            .collect();
    }
    branch
}

/// The merkle root over a coinbase hash and its branch, internal order.
#[must_use]
pub fn root(coinbase: Hash, branch: &[Hash]) -> Hash {
    branch.iter().fold(coinbase, |left, right| node(&left, right))
}

#[cfg(test)]
#[allow(clippy::indexing_slicing)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// The whole tree, as Bitcoin first computed it.
    fn plain_root(mut level: Vec<Hash>) -> Hash {
        while level.len() > 1 {
            if level.len() % 2 == 1 {
                level.push(level[level.len() - 1]);
            }
            level = level.chunks(2).map(|pair| node(&pair[0], &pair[1])).collect();
        }
        level[0]
    }

    #[test]
    fn a_lone_coinbase_is_the_root() {
        assert!(branch(Vec::new()).is_empty());
        assert_eq!(root(Hash([7; 32]), &[]), Hash([7; 32]));
    }

    #[test]
    fn agrees_with_nomp() {
        let second = "69c5a5fc944f979128d8623f47df6e532790d453223e06347e95fe8a6016b9a3";
        let found = branch(vec![Hash([0xaa; 32]), Hash([0x22; 32]), Hash([0x33; 32])]);
        let second = Hash(crate::chain::hex_array(second).unwrap_or_default());
        assert_eq!(found, [Hash([0xaa; 32]), second]);
    }

    proptest! {
        #[test]
        fn branch_and_root_equal_the_whole_tree(
            leaves in proptest::collection::vec(any::<[u8; 32]>(), 1..70)
        ) {
            let leaves: Vec<Hash> = leaves.into_iter().map(Hash).collect();
            let steps = branch(leaves[1..].to_vec());
            prop_assert_eq!(root(leaves[0], &steps), plain_root(leaves));
        }
    }
}
