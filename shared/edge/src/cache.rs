//! A small memory of a warm function: bounded in number and in age.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use domain::time::Timestamp;

/// Remembers up to `capacity` values, each for at most `age`.
pub(crate) struct Cache<K, V> {
    capacity: usize,
    age: Duration,
    values: Mutex<HashMap<K, (Timestamp, V)>>,
}

impl<K: Clone + Eq + Hash, V: Clone> Cache<K, V> {
    pub(crate) fn new(capacity: usize, age: Duration) -> Self {
        Self { capacity, age, values: Mutex::default() }
    }

    /// The value of `key`, if it is known and young enough at `now`.
    pub(crate) fn get(&self, key: &K, now: Timestamp) -> Option<V> {
        let values = self.lock();
        let (since, value) = values.get(key)?;
        self.is_fresh(*since, now).then(|| value.clone())
    }

    /// Remembers a value, in place of the oldest one if there is no room.
    pub(crate) fn put(&self, key: K, value: V, now: Timestamp) {
        let mut values = self.lock();
        if values.len() >= self.capacity && !values.contains_key(&key) {
            values.retain(|_, (since, _)| self.is_fresh(*since, now));
        }
        if values.len() >= self.capacity && !values.contains_key(&key) {
            let oldest = values.iter().min_by_key(|(_, (since, _))| *since);
            if let Some(oldest) = oldest.map(|(key, _)| key.clone()) {
                values.remove(&oldest);
            }
        }
        values.insert(key, (now, value));
    }

    /// Forgets the value of `key`.
    pub(crate) fn forget(&self, key: &K) {
        self.lock().remove(key);
    }

    /// Forgets everything.
    pub(crate) fn forget_all(&self) {
        self.lock().clear();
    }

    /// A clock that went back makes a value old, not eternal.
    fn is_fresh(&self, since: Timestamp, now: Timestamp) -> bool {
        (now - since).to_std().is_ok_and(|age| age < self.age)
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<K, (Timestamp, V)>> {
        self.values.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_timestamp(second, 0).unwrap()
    }

    #[test]
    fn it_forgets_by_age_and_by_number() {
        let cache = Cache::new(2, Duration::from_secs(5));
        cache.put("a", 1, at(0));
        assert_eq!(cache.get(&"a", at(4)), Some(1));
        assert_eq!(cache.get(&"a", at(5)), None);
        assert_eq!(cache.get(&"a", at(-1)), None);

        cache.put("a", 1, at(10));
        cache.put("b", 2, at(11));
        cache.put("c", 3, at(12));
        assert_eq!(cache.get(&"a", at(12)), None, "the oldest makes room");
        assert_eq!((cache.get(&"b", at(12)), cache.get(&"c", at(12))), (Some(2), Some(3)));
    }
}
