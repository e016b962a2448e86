//! General admission: any units will do. There is no counter of what is left, only the units themselves.

use super::{Board, Wish, mixed};

/// What is left of one row of units.
#[derive(Clone, Copy, Debug)]
pub(super) struct Left {
    count: usize,
    /// Where the next free unit is looked for.
    cursor: usize,
}

impl Left {
    pub(super) fn changed(&mut self, is_free: bool) {
        self.count = if is_free { self.count + 1 } else { self.count.saturating_sub(1) };
    }
}

impl Board<'_> {
    /// Of one kind if that can be.
    pub(super) fn units(&mut self, wish: &Wish) -> Option<Vec<u32>> {
        let hall = self.hall;
        let fitting = |row: &usize| {
            let row = &hall.rows[*row];
            wish.is_in(row) && row.spots.first().is_some_and(|spot| wish.fits(hall.kind(*spot)))
        };
        let rows: Vec<usize> = (0..hall.rows.len()).filter(fitting).collect();
        let left: Vec<usize> = rows.iter().map(|&row| self.left(row).count).collect();
        if left.iter().sum::<usize>() < wish.quantity {
            return None;
        }
        let whole = left.iter().position(|&left| left >= wish.quantity);
        let mut chosen = Vec::with_capacity(wish.quantity);
        for (&row, &left) in rows.iter().zip(&left).skip(whole.unwrap_or(0)) {
            let missing = wish.quantity - chosen.len();
            chosen.extend(self.next_units(row, missing.min(left)));
        }
        chosen.sort_unstable();
        Some(chosen)
    }

    fn left(&mut self, row: usize) -> Left {
        if let Some(left) = self.units[row] {
            return left;
        }
        let spots = &self.hall.rows[row].spots;
        let count = spots.iter().filter(|spot| self.is_free(spot.ordinal)).count();
        let cursor = usize::try_from(mixed(self.salt) % spots.len().max(1) as u64).unwrap_or(0);
        *self.units[row].insert(Left { count, cursor })
    }

    /// So many free units from the cursor on, once around at most. The cursor stops at the first of them: who comes
    /// next does not pass the taken ones again.
    fn next_units(&mut self, row: usize, quantity: usize) -> Vec<u32> {
        let mut left = self.left(row);
        let (before, after) = self.hall.rows[row].spots.split_at(left.cursor);
        let places = (left.cursor..).take(after.len()).chain(0..);
        let around = after.iter().chain(before).map(|spot| spot.ordinal).zip(places);
        let found: Vec<(u32, usize)> = around.filter(|(ordinal, _)| self.is_free(*ordinal)).take(quantity).collect();
        if let Some((_, place)) = found.first() {
            left.cursor = *place;
            self.units[row] = Some(left);
        }
        found.into_iter().map(|(ordinal, _)| ordinal).collect()
    }
}
