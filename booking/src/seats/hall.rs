//! What there is to choose from, as far as it does not change while an event is on sale: rows of neighbours,
//! how near each seat is to the stage, what it costs and for whom it is kept.

use std::collections::HashMap;

/// For whom a seat is kept.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) enum Pool {
    #[default]
    Open,
    /// A space for a wheelchair.
    Accessible,
    /// Beside one, for who comes along.
    Companion,
}

impl Pool {
    /// As `tickets.pool` spells it. What is not known is protected like a companion's seat: sold only on purpose.
    pub(crate) fn parse(text: &str) -> Self {
        match text {
            "open" => Pool::Open,
            "accessible" => Pool::Accessible,
            _ => Pool::Companion,
        }
    }
}

/// A seat, or a unit of general admission, as it is handed in.
#[derive(Clone, Debug)]
pub(crate) struct Seat {
    /// Its place in the event's order.
    pub(crate) ordinal: u32,
    pub(crate) tier: String,
    /// Minor units.
    pub(crate) price: i64,
    pub(crate) pool: Pool,
    /// From the middle of the stage, in centimetres.
    pub(crate) distance: u32,
}

/// What seats must have in common to be sold as one block.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Kind {
    pub(crate) tier: String,
    /// Minor units.
    pub(crate) price: i64,
    pub(crate) pool: Pool,
}

/// An event's seats in rows, or its units of general admission.
#[derive(Debug, Default)]
pub(crate) struct Hall {
    /// False for general admission: units have no neighbours and none is better than another.
    pub(crate) is_numbered: bool,
    pub(crate) rows: Vec<Row>,
    pub(crate) kinds: Vec<Kind>,
    /// Rows by their nearest seat, nearest first.
    pub(crate) nearest_first: Vec<usize>,
    /// The row of each ordinal.
    row_of: Vec<Option<u32>>,
}

/// Seats next to each other, in walking order; an aisle ends a row. Of general admission: all units of one kind.
#[derive(Debug)]
pub(crate) struct Row {
    pub(crate) zone: String,
    pub(crate) spots: Vec<Spot>,
    /// `far[n]`: distances of the first n spots together.
    far: Vec<u64>,
    /// Distance of the nearest spot.
    pub(crate) nearest: u64,
    /// Some of its seats are kept for wheelchairs.
    pub(crate) is_accessible: bool,
}

#[derive(Clone, Copy, Debug)]
pub(crate) struct Spot {
    pub(crate) ordinal: u32,
    /// Indexes [`Hall::kinds`].
    pub(crate) kind: u32,
}

impl Hall {
    /// Rows with their zones, in the layout's order.
    pub(crate) fn new(is_numbered: bool, rows: Vec<(String, Vec<Seat>)>) -> Self {
        let mut hall = Hall { is_numbered, ..Hall::default() };
        let mut known = HashMap::new();
        for (zone, seats) in rows {
            let row = hall.row(&mut known, zone, seats);
            hall.rows.push(row);
        }
        hall.nearest_first = (0..hall.rows.len()).collect();
        hall.nearest_first.sort_by_key(|&row| hall.rows[row].nearest); // stable: the layout's order among equals
        hall
    }

    fn row(&mut self, known: &mut HashMap<Kind, u32>, zone: String, seats: Vec<Seat>) -> Row {
        let index = u32::try_from(self.rows.len()).unwrap_or(u32::MAX);
        let mut row = Row { zone, spots: Vec::new(), far: vec![0], nearest: u64::MAX, is_accessible: false };
        for seat in seats {
            let place = seat.ordinal as usize;
            self.row_of.resize(self.row_of.len().max(place + 1), None);
            self.row_of[place] = Some(index);
            let kind = Kind { tier: seat.tier, price: seat.price, pool: seat.pool };
            row.is_accessible |= kind.pool == Pool::Accessible;
            let kind = *known.entry(kind).or_insert_with_key(|kind| {
                self.kinds.push(kind.clone());
                u32::try_from(self.kinds.len() - 1).unwrap_or(u32::MAX)
            });
            row.spots.push(Spot { ordinal: seat.ordinal, kind });
            let distance = u64::from(seat.distance);
            row.far.push(row.far.last().copied().unwrap_or_default() + distance);
            row.nearest = row.nearest.min(distance);
        }
        row
    }

    pub(crate) fn kind(&self, spot: Spot) -> &Kind {
        &self.kinds[spot.kind as usize]
    }

    pub(crate) fn row_of(&self, ordinal: u32) -> Option<usize> {
        self.row_of.get(ordinal as usize)?.map(|row| row as usize)
    }

    pub(crate) fn has_pool(&self) -> bool {
        self.rows.iter().any(|row| row.is_accessible)
    }
}

impl Row {
    /// Distances of the spots `from..to` together.
    pub(crate) fn distance(&self, from: usize, to: usize) -> u64 {
        self.far[to] - self.far[from]
    }

    pub(crate) fn ordinals(&self, from: usize, to: usize) -> Vec<u32> {
        let mut ordinals: Vec<u32> = self.spots[from..to].iter().map(|spot| spot.ordinal).collect();
        ordinals.sort_unstable();
        ordinals
    }
}
