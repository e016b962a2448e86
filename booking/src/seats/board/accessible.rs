//! Orders with a wheelchair. Protected seats go to nobody else, and a companion's seat goes only beside one.

use super::{Board, Wish};
use crate::seats::hall::{Pool, Row, Spot};

/// A possible block; the least is the best: no more wheelchair spaces than needed, then companions' seats rather
/// than others, then near the stage.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Together {
    wheelchairs: usize,
    others: usize,
    distance: u64,
    row: usize,
    from: usize,
}

impl Board<'_> {
    /// A block with a wheelchair space in it, or one such space with the rest as near as can be.
    pub(super) fn with_accessible(&mut self, wish: &Wish) -> Option<Vec<u32>> {
        let rows = self.accessible_rows(wish);
        let blocks = rows.iter().flat_map(|&row| self.blocks(row, wish));
        if let Some(best) = blocks.min() {
            return Some(self.hall.rows[best.row].ordinals(best.from, best.from + wish.quantity));
        }
        let mut spaces: Vec<(u64, usize, usize)> =
            rows.iter().flat_map(|&row| self.spaces(row, wish).map(move |(far, at)| (far, row, at))).collect();
        spaces.sort_unstable();
        spaces.into_iter().find_map(|(_, row, at)| self.around(row, at, wish))
    }

    fn accessible_rows(&self, wish: &Wish) -> Vec<usize> {
        let rows = self.hall.rows.iter().enumerate();
        rows.filter(|(_, row)| row.is_accessible && wish.is_in(row)).map(|(index, _)| index).collect()
    }

    fn may_have(&self, spot: Spot, wish: &Wish) -> bool {
        self.is_free(spot.ordinal) && wish.fits(self.hall.kind(spot))
    }

    /// Every block of neighbours at one price with a wheelchair space in it, whatever pools the others are of.
    fn blocks(&self, index: usize, wish: &Wish) -> Vec<Together> {
        let (hall, row) = (self.hall, &self.hall.rows[index]);
        let alike = |one: Spot, next: Spot| {
            let (one, next) = (hall.kind(one), hall.kind(next));
            one.tier == next.tier && one.price == next.price
        };
        let count = |spots: &[Spot], pool: Pool| spots.iter().filter(|spot| hall.kind(**spot).pool == pool).count();
        let whole = |(from, spots): (usize, &[Spot])| {
            let fits = spots.iter().all(|spot| self.may_have(*spot, wish))
                && spots.windows(2).all(|pair| alike(pair[0], pair[1]));
            let wheelchairs = count(spots, Pool::Accessible);
            let distance = row.distance(from, from + spots.len());
            let block = Together { wheelchairs, others: count(spots, Pool::Open), distance, row: index, from };
            (fits && wheelchairs > 0).then_some(block)
        };
        row.spots.windows(wish.quantity).enumerate().filter_map(whole).collect()
    }

    /// Free wheelchair spaces of a row, with their distances.
    fn spaces(&self, row: usize, wish: &Wish) -> impl Iterator<Item = (u64, usize)> {
        let row: &Row = &self.hall.rows[row];
        let spots = row.spots.iter().enumerate();
        let mine =
            spots.filter(|(_, spot)| self.hall.kind(**spot).pool == Pool::Accessible && self.may_have(**spot, wish));
        mine.map(|(at, _)| (row.distance(at, at + 1), at)).collect::<Vec<_>>().into_iter()
    }

    /// This space, companions' seats of its row, and for whoever is left an ordinary choice.
    fn around(&mut self, row: usize, at: usize, wish: &Wish) -> Option<Vec<u32>> {
        let spots = &self.hall.rows[row].spots;
        let mut companions: Vec<(usize, Spot)> = spots.iter().copied().enumerate().collect();
        companions.retain(|(_, spot)| self.hall.kind(*spot).pool == Pool::Companion && self.may_have(*spot, wish));
        companions.sort_by_key(|(place, _)| place.abs_diff(at));
        let mut chosen = vec![spots[at].ordinal];
        chosen.extend(companions.iter().take(wish.quantity - 1).map(|(_, spot)| spot.ordinal));
        let missing = wish.quantity - chosen.len();
        if missing > 0 {
            let rest = Wish { quantity: missing, is_accessible: false, ..wish.clone() };
            self.take(&chosen);
            let others = self.choose(&rest, super::Spread::default());
            self.give(&chosen);
            chosen.extend(others?);
        }
        chosen.sort_unstable();
        Some(chosen)
    }
}
