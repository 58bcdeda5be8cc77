//! Which shard a new transport goes to.
//!
//! Transports of one group mostly talk to each other, and a packet that stays on its shard is cheaper.
//! So a group stays together, on the shard that had the fewest transports when it began, until that
//! shard has its share; then the group spreads over further shards.

use std::collections::HashMap;

use tertulia_router_core::{ShardIndex, TransportId};

/// What is placed where.
#[derive(Debug)]
pub struct Placement {
    /// Transports by shard.
    loads: Vec<usize>,
    /// Transports by group and shard; only groups that have any.
    groups: HashMap<String, Vec<usize>>,
    transports: HashMap<TransportId, Option<String>>,
    least_share: usize,
    limit: usize,
}

impl Placement {
    /// Nothing on this many shards. A shard with at most `least_share` transports takes more of the
    /// groups that it has, whatever the others have; `limit` is for all shards together.
    #[must_use]
    pub fn new(shards: usize, least_share: usize, limit: usize) -> Self {
        Self {
            loads: vec![0; shards.max(1)],
            groups: HashMap::new(),
            transports: HashMap::new(),
            least_share,
            limit,
        }
    }

    /// Chooses a shard and counts a transport there, which either [`Self::opened`] or
    /// [`Self::not_opened`] must follow. `None`: the router is full.
    pub fn place(&mut self, group: Option<&str>) -> Option<ShardIndex> {
        if self.loads.iter().sum::<usize>() >= self.limit {
            return None;
        }
        let place = group
            .and_then(|group| self.with_room(group))
            .or_else(|| least(self.loads.iter().copied().enumerate()))?;
        self.change(place, group, 1);
        Some(ShardIndex(place as u16))
    }

    /// The transport is there.
    pub fn opened(&mut self, id: TransportId, group: Option<String>) {
        self.transports.insert(id, group);
    }

    /// It was refused.
    pub fn not_opened(&mut self, shard: ShardIndex, group: Option<&str>) {
        self.change(usize::from(shard.0), group, -1);
    }

    /// The transport has ended.
    pub fn ended(&mut self, id: TransportId) {
        if let Some(group) = self.transports.remove(&id) {
            self.change(usize::from(id.shard().0), group.as_deref(), -1);
        }
    }

    /// Whether it is there.
    #[must_use]
    pub fn contains(&self, id: TransportId) -> bool {
        self.transports.contains_key(&id)
    }

    /// The emptiest shard that has some of the group and less than its share: a quarter more than
    /// the average, so that small differences do not tear groups apart.
    fn with_room(&self, group: &str) -> Option<usize> {
        let average = self.loads.iter().sum::<usize>() / self.loads.len();
        let share = self.least_share.max(average + average / 4);
        let of_group = self.groups.get(group)?;
        let shards = self.loads.iter().copied().enumerate();
        least(shards.filter(|(place, load)| {
            *load < share && of_group.get(*place).is_some_and(|members| *members > 0)
        }))
    }

    fn change(&mut self, place: usize, group: Option<&str>, by: isize) {
        let add = |count: &mut usize| *count = count.saturating_add_signed(by);
        self.loads.get_mut(place).map(add);
        let Some(group) = group else {
            return;
        };
        let shards = self.loads.len();
        let members = self.groups.entry(group.to_owned()).or_insert_with(|| vec![0; shards]);
        members.get_mut(place).map(add);
        if members.iter().all(|count| *count == 0) {
            self.groups.remove(group);
        }
    }
}

fn least(shards: impl Iterator<Item = (usize, usize)>) -> Option<usize> {
    shards.min_by_key(|(_, load)| *load).map(|(place, _)| place)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Places transports one after the other and tells the shards.
    fn place(placement: &mut Placement, groups: &[&str]) -> Vec<u16> {
        let one = |group: &&str| placement.place(Some(group)).expect("room").0;
        groups.iter().map(one).collect()
    }

    #[test]
    fn groups_stay_together_and_go_to_the_emptiest_shard() {
        let mut placement = Placement::new(2, 16, 1000);
        assert_eq!(place(&mut placement, &["a", "a", "b", "a", "b", "c"]), [0, 0, 1, 0, 1, 1]);
        assert_eq!(placement.place(None), Some(ShardIndex(0)));
    }

    #[test]
    fn a_group_larger_than_its_share_spreads_evenly() {
        let mut placement = Placement::new(4, 16, 1000);
        let shards = place(&mut placement, &["a"; 400]);
        assert!(shards.iter().take(16).all(|shard| *shard == 0));
        for shard in 0..4 {
            let count = shards.iter().filter(|s| **s == shard).count();
            assert!((90..=130).contains(&count), "{count} on shard {shard}");
        }
    }

    #[test]
    fn what_ended_or_was_refused_makes_room() {
        let mut placement = Placement::new(2, 1, 2);
        let id = TransportId::new(1, ShardIndex(0));
        assert_eq!(placement.place(Some("a")), Some(ShardIndex(0)));
        placement.opened(id, Some("a".into()));
        assert!(placement.contains(id));
        assert_eq!(placement.place(Some("a")), Some(ShardIndex(1)));
        assert_eq!(placement.place(Some("a")), None);
        placement.not_opened(ShardIndex(1), Some("a"));
        placement.ended(id);
        placement.ended(id);
        assert!(!placement.contains(id));
        assert!(placement.groups.is_empty());
        assert_eq!(placement.place(Some("b")), Some(ShardIndex(0)));
    }
}
