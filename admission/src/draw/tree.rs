//! The Merkle tree over the frozen list, as RFC 6962 (section 2.1) builds it: a leaf is SHA-256(0x00 ‖ place),
//! a node SHA-256(0x01 ‖ left ‖ right), the left side the largest power of two below the count. Built from
//! the bottom that is: pair neighbours, and lift an odd one as it is.

use shared::encoding::sha256;

use crate::ids::Place;

/// SHA-256, as leaves, nodes and the root are.
pub type Hash = [u8; 32];

/// Levels that are computed again for each proof instead of being kept: 2^4 leaves share the lowest kept node,
/// so that the tree of a million takes 4 MB, not 64.
const LEVELS_NOT_KEPT: u32 = 4;

pub fn leaf(place: Place) -> Hash {
    sha256(&[&[0], place.as_bytes()])
}

fn node(left: &Hash, right: &Hash) -> Hash {
    sha256(&[&[1], left, right])
}

/// The level above: pairs hashed, an odd last one lifted.
fn above(level: &[Hash]) -> Vec<Hash> {
    level
        .chunks(2)
        .map(|pair| match pair {
            [left, right] => node(left, right),
            odd => odd[0],
        })
        .collect()
}

/// The root of the subtree over `places`; of none, SHA-256 of nothing.
fn root_of(places: &[Place]) -> Hash {
    let mut level: Vec<Hash> = places.iter().copied().map(leaf).collect();
    while level.len() > 1 {
        level = above(&level);
    }
    level.first().copied().unwrap_or_else(|| sha256(&[]))
}

/// A frozen list with what its proofs need.
#[derive(Debug)]
pub struct Tree {
    places: Vec<Place>,
    /// From the lowest kept level up to the root's.
    levels: Vec<Vec<Hash>>,
}

impl Tree {
    /// Over a list, ascending by bytes. Two hashes a place: a third of a second for a million.
    pub fn new(places: Vec<Place>) -> Self {
        let mut levels: Vec<Vec<Hash>> = vec![places.chunks(1 << LEVELS_NOT_KEPT).map(root_of).collect()];
        while let Some(last) = levels.last().filter(|last| last.len() > 1) {
            levels.push(above(last));
        }
        Self { places, levels }
    }

    pub fn places(&self) -> &[Place] {
        &self.places
    }

    pub fn into_places(self) -> Vec<Place> {
        self.places
    }

    pub fn root(&self) -> Hash {
        self.levels.last().and_then(|top| top.first()).copied().unwrap_or_else(|| sha256(&[]))
    }

    /// Where a place stands on the list, from 0.
    pub fn index(&self, place: Place) -> Option<usize> {
        self.places.binary_search(&place).ok()
    }

    /// The audit path of a leaf: its siblings from the bottom up. `None` beyond the list.
    pub fn proof(&self, index: usize) -> Option<Vec<Hash>> {
        let first = index >> LEVELS_NOT_KEPT << LEVELS_NOT_KEPT;
        let block = self.places.get(first..)?;
        let block = &block[..block.len().min(1 << LEVELS_NOT_KEPT)];
        let mut level: Vec<Hash> = block.iter().copied().map(leaf).collect();
        let mut at = index - first;
        if at >= level.len() {
            return None;
        }
        let mut path = Vec::new();
        while level.len() > 1 {
            path.extend(level.get(at ^ 1));
            level = above(&level);
            at >>= 1;
        }
        let mut at = index >> LEVELS_NOT_KEPT;
        for level in &self.levels {
            path.extend(level.get(at ^ 1));
            at >>= 1;
        }
        Some(path)
    }
}

/// Whether `place` is number `index` (from 0) of a list of `count` with that root: RFC 9162, section 2.1.3.2.
pub fn proves(root: &Hash, count: u64, index: u64, place: Place, proof: &[Hash]) -> bool {
    if index >= count {
        return false;
    }
    let (mut at, mut last) = (index, count - 1);
    let mut hash = leaf(place);
    for sibling in proof {
        if last == 0 {
            return false;
        }
        if at & 1 == 1 || at == last {
            hash = node(sibling, &hash);
            while at & 1 == 0 && at != 0 {
                at >>= 1;
                last >>= 1;
            }
        } else {
            hash = node(&hash, sibling);
        }
        at >>= 1;
        last >>= 1;
    }
    last == 0 && hash == *root
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use shared::encoding::hex;

    use super::*;

    fn places(count: usize) -> Vec<Place> {
        (0..count as u128).map(|n| Place::from_bytes((n * 7 + 1).to_be_bytes())).collect()
    }

    /// The definition of RFC 6962, word for word.
    fn defined(leaves: &[Hash]) -> Hash {
        match leaves {
            [] => sha256(&[]),
            [one] => *one,
            many => {
                let half = many.len().next_power_of_two() / 2;
                node(&defined(&many[..half]), &defined(&many[half..]))
            }
        }
    }

    #[test]
    fn an_empty_list_has_the_root_of_nothing() {
        let empty = Tree::new(Vec::new());
        assert_eq!(hex(&empty.root()), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
        assert_eq!(empty.proof(0), None);
    }

    #[test]
    fn every_member_of_every_small_list_has_a_proof_and_the_root_is_the_defined_one() {
        for count in 1..=70 {
            let places = places(count);
            let leaves: Vec<_> = places.iter().copied().map(leaf).collect();
            let tree = Tree::new(places.clone());
            assert_eq!(tree.root(), defined(&leaves), "{count}");
            for (index, place) in places.iter().enumerate() {
                let proof = tree.proof(index).unwrap();
                assert!(proves(&tree.root(), count as u64, index as u64, *place, &proof), "{index} of {count}");
            }
            assert_eq!(tree.proof(count), None);
        }
    }

    proptest! {
        #[test]
        fn a_proof_holds_for_its_place_index_count_and_root_only(
            count in 2..3_000usize, index in any::<prop::sample::Index>(), flip in 0..256usize, step in any::<prop::sample::Index>(),
        ) {
            let index = index.index(count);
            let tree = Tree::new(places(count));
            let (root, place, proof) = (tree.root(), tree.places()[index], tree.proof(index).unwrap());
            let (count, index) = (count as u64, index as u64);
            prop_assert!(proves(&root, count, index, place, &proof));
            prop_assert_eq!(tree.index(place), Some(index as usize));
            prop_assert!(!proves(&root, count, index ^ 1, place, &proof));
            prop_assert!(!proves(&root, count, count, place, &proof));
            let mut bytes = *place.as_bytes();
            bytes[flip / 16] ^= 1 << (flip % 8);
            prop_assert!(!proves(&root, count, index, Place::from_bytes(bytes), &proof));
            let mut forged = proof.clone();
            let step = step.index(forged.len());
            forged[step][flip / 8] ^= 1 << (flip % 8);
            prop_assert!(!proves(&root, count, index, place, &forged));
            forged = proof.clone();
            forged.pop();
            prop_assert!(!proves(&root, count, index, place, &forged));
            forged = proof;
            forged.push(root);
            prop_assert!(!proves(&root, count, index, place, &forged));
        }
    }
}
