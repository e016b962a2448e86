//! Which seats a fan gets who leaves the choice to us. Pure: a board of free seats in, one choice out.
//!
//! A block is so many free neighbours of one tier and price. The nearest to the stage wins; one that would leave a
//! single seat alone is taken only when no other block is left anywhere, and seats apart only when no block is.
//! Parties that wait together are served one after the other on the same board, so they never want the same seats.

mod accessible;
#[cfg(test)]
mod tests;
mod units;

use super::hall::{Hall, Kind, Pool, Row};

/// What a fan asked for.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Wish {
    /// Seats, at least 1.
    pub(crate) quantity: usize,
    pub(crate) tier: Option<String>,
    pub(crate) zone: Option<String>,
    /// The most one ticket may cost before fees, in minor units.
    pub(crate) max_price: Option<i64>,
    /// At least one of the seats must be for a wheelchair.
    pub(crate) is_accessible: bool,
}

impl Wish {
    fn fits(&self, kind: &Kind) -> bool {
        self.tier.as_ref().is_none_or(|tier| *tier == kind.tier) && self.max_price.is_none_or(|most| kind.price <= most)
    }

    fn is_in(&self, row: &Row) -> bool {
        self.zone.as_ref().is_none_or(|zone| *zone == row.zone)
    }
}

/// Which rows to look at first: after others were faster, looking elsewhere beats colliding with them again.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Spread {
    pub(crate) salt: u64,
    /// One row in 2 to this power.
    pub(crate) halvings: u32,
}

impl Spread {
    fn has(self, row: usize) -> bool {
        mixed(self.salt ^ row as u64).trailing_zeros() >= self.halvings
    }
}

/// The seats of one event as they are free now. Choosing takes nothing: [`Board::take`] does.
pub(crate) struct Board<'a> {
    hall: &'a Hall,
    /// By ordinal.
    free: Vec<bool>,
    /// Of each row that was looked at since it last changed.
    runs: Vec<Option<Vec<Run>>>,
    /// Of each row of general admission that was looked at: units left, and where to look for the next one.
    units: Vec<Option<units::Left>>,
    salt: u64,
    is_released: bool,
}

/// Free neighbours of one kind: spots `from..to` of a row.
#[derive(Clone, Copy, Debug)]
struct Run {
    from: usize,
    to: usize,
    kind: u32,
}

impl Run {
    fn len(self) -> usize {
        self.to - self.from
    }
}

/// A seat beside a block, and the next one in the row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Edge {
    pub(crate) near: u32,
    pub(crate) beyond: Option<u32>,
}

/// A possible block; the least is the best.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Block {
    leaves_single: bool,
    /// Of all its seats together.
    distance: u64,
    row: usize,
    /// How far its middle is from the row's, where distances are all the same.
    off_middle: usize,
    from: usize,
}

impl<'a> Board<'a> {
    /// `free` by ordinal; one beyond it counts as taken. `salt` says where the search for general admission begins,
    /// so that processes which cannot see each other begin elsewhere.
    pub(crate) fn new(hall: &'a Hall, free: Vec<bool>, salt: u64) -> Self {
        let rows = hall.rows.len();
        Board { hall, free, runs: vec![None; rows], units: vec![None; rows], salt, is_released: false }
    }

    /// Protected seats count as open ones.
    pub(crate) fn release_pools(&mut self) {
        self.is_released = true;
    }

    /// These seats are somebody's now.
    pub(crate) fn take(&mut self, ordinals: &[u32]) {
        self.set(ordinals, false);
    }

    /// These seats may be had after all.
    pub(crate) fn give(&mut self, ordinals: &[u32]) {
        self.set(ordinals, true);
    }

    fn set(&mut self, ordinals: &[u32], free: bool) {
        for &ordinal in ordinals {
            if let (Some(row), Some(seat)) = (self.hall.row_of(ordinal), self.free.get_mut(ordinal as usize))
                && *seat != free
            {
                *seat = free;
                self.runs[row] = None;
                if let Some(left) = &mut self.units[row] {
                    left.changed(free);
                }
            }
        }
    }

    fn is_free(&self, ordinal: u32) -> bool {
        self.free.get(ordinal as usize).copied().unwrap_or(false)
    }

    /// Seats for this wish, ordinals ascending; `None` when there are not enough, together or apart.
    pub(crate) fn choose(&mut self, wish: &Wish, spread: Spread) -> Option<Vec<u32>> {
        if !self.hall.is_numbered {
            return self.units(wish);
        }
        if wish.is_accessible {
            return self.with_accessible(wish);
        }
        let near = self.block(wish, |row| spread.has(row));
        // looking elsewhere must not leave a single where it can be avoided
        let best = near.filter(|block| !block.leaves_single).or_else(|| self.block(wish, |_| true));
        match best {
            Some(block) => Some(self.hall.rows[block.row].ordinals(block.from, block.from + wish.quantity)),
            None => self.apart(wish),
        }
    }

    /// What must not happen beside a block that has just been taken: a seat and the one beyond it (if there is one),
    /// of which the first is not to be left alone. Sides where it is alone already are left out.
    pub(crate) fn edges(&self, block: &[u32]) -> Vec<Edge> {
        let (Some(&first), Some(&last)) = (block.first(), block.last()) else { return Vec::new() };
        let Some(row) = self.hall.row_of(first).filter(|_| self.hall.is_numbered) else { return Vec::new() };
        let spots = &self.hall.rows[row].spots;
        let place = |ordinal| spots.iter().position(|spot| spot.ordinal == ordinal);
        let (Some(from), Some(to)) = (place(first), place(last)) else { return Vec::new() };
        if to - from + 1 != block.len() {
            return Vec::new(); // seats apart
        }
        let seat = |at: Option<usize>| Some(spots.get(at?)?).filter(|spot| spot.kind == spots[from].kind);
        let side = |near: Option<usize>, beyond: Option<usize>| {
            let edge = Edge { near: seat(near)?.ordinal, beyond: seat(beyond).map(|spot| spot.ordinal) };
            let is_alone = self.is_free(edge.near) && !edge.beyond.is_some_and(|beyond| self.is_free(beyond));
            (!is_alone).then_some(edge)
        };
        let left = side(from.checked_sub(1), from.checked_sub(2));
        left.into_iter().chain(side(Some(to + 1), Some(to + 2))).collect()
    }

    /// Whether an ordinary order may have seats of this kind.
    fn is_open(&self, kind: &Kind) -> bool {
        self.is_released || kind.pool == Pool::Open
    }

    fn runs(&mut self, row: usize) -> &[Run] {
        let (hall, free) = (self.hall, &self.free);
        self.runs[row].get_or_insert_with(|| {
            let spots = &hall.rows[row].spots;
            let is_free = |spot: &super::hall::Spot| free.get(spot.ordinal as usize).copied().unwrap_or(false);
            let mut runs = Vec::new();
            let mut from = 0;
            for stretch in spots.chunk_by(|one, next| is_free(one) == is_free(next) && one.kind == next.kind) {
                let to = from + stretch.len();
                if is_free(&stretch[0]) {
                    runs.push(Run { from, to, kind: stretch[0].kind });
                }
                from = to;
            }
            runs
        })
    }

    /// The best block in the rows that are looked at.
    fn block(&mut self, wish: &Wish, looks_at: impl Fn(usize) -> bool) -> Option<Block> {
        let (hall, quantity) = (self.hall, wish.quantity);
        let is_released = self.is_released;
        let mut best: Option<Block> = None;
        for &index in &hall.nearest_first {
            let row = &hall.rows[index];
            let at_least = row.nearest.saturating_mul(quantity as u64);
            if best.is_some_and(|best| !best.leaves_single && best.distance < at_least) {
                break;
            }
            if !wish.is_in(row) || !looks_at(index) {
                continue;
            }
            for run in self.runs(index) {
                let kind = &hall.kinds[run.kind as usize];
                if run.len() < quantity || !wish.fits(kind) || !(is_released || kind.pool == Pool::Open) {
                    continue;
                }
                for from in run.from..=run.to - quantity {
                    let to = from + quantity;
                    let block = Block {
                        leaves_single: from - run.from == 1 || run.to - to == 1,
                        distance: row.distance(from, to),
                        row: index,
                        off_middle: (from + to).abs_diff(row.spots.len()),
                        from,
                    };
                    best = Some(best.map_or(block, |best| best.min(block)));
                }
            }
        }
        best
    }

    /// No block is left: as few pieces as possible, and of equal ones the nearest.
    fn apart(&mut self, wish: &Wish) -> Option<Vec<u32>> {
        let hall = self.hall;
        let mut pieces: Vec<(usize, Run)> = Vec::new();
        for &index in &hall.nearest_first {
            if wish.is_in(&hall.rows[index]) {
                pieces.extend(self.runs(index).iter().map(|run| (index, *run)));
            }
        }
        pieces.retain(|(_, run)| {
            let kind = &hall.kinds[run.kind as usize];
            wish.fits(kind) && self.is_open(kind)
        });
        if pieces.iter().map(|(_, run)| run.len()).sum::<usize>() < wish.quantity {
            return None;
        }
        pieces.sort_by_key(|(_, run)| std::cmp::Reverse(run.len())); // stable: nearer rows stay ahead
        let mut chosen = Vec::with_capacity(wish.quantity);
        while chosen.len() < wish.quantity && !pieces.is_empty() {
            let missing = wish.quantity - chosen.len();
            // the last piece is the smallest that is large enough, and leaves no single if that can be
            let last = pieces.iter().enumerate().filter(|(_, (_, run))| run.len() >= missing);
            let last = last.min_by_key(|(_, (_, run))| (run.len() == missing + 1, run.len())).map(|(at, _)| at);
            let (row, run) = pieces.remove(last.unwrap_or(0));
            chosen.extend(hall.rows[row].ordinals(run.from, run.from + run.len().min(missing)));
        }
        chosen.sort_unstable();
        Some(chosen)
    }
}

/// SplitMix64's finish: neighbouring numbers in, unlike numbers out. <https://prng.di.unimi.it/splitmix64.c>
fn mixed(number: u64) -> u64 {
    let mut mixed = number.wrapping_add(0x9e37_79b9_7f4a_7c15);
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}
