//! A small map from channel numbers.

/// Sorted by number: nearly all connections have one or a few channels, and the largest have two
/// thousand.
#[derive(Debug)]
pub(crate) struct ByNumber<T>(Vec<(u16, T)>);

impl<T> Default for ByNumber<T> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<T> ByNumber<T> {
    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    pub(crate) fn get(&self, number: u16) -> Option<&T> {
        self.position(number).ok().map(|idx| &self.0[idx].1)
    }

    pub(crate) fn get_mut(&mut self, number: u16) -> Option<&mut T> {
        self.position(number).ok().map(|idx| &mut self.0[idx].1)
    }

    pub(crate) fn insert(&mut self, number: u16, value: T) {
        match self.position(number) {
            Ok(idx) => self.0[idx].1 = value,
            Err(idx) => {
                self.0.reserve_exact(1 + self.0.len() / 2);
                self.0.insert(idx, (number, value));
            }
        }
    }

    pub(crate) fn remove(&mut self, number: u16) -> Option<T> {
        let removed = self.position(number).ok().map(|idx| self.0.remove(idx).1);
        if self.0.is_empty() {
            self.0 = Vec::new();
        }
        removed
    }

    pub(crate) fn iter_mut(&mut self) -> impl Iterator<Item = (u16, &mut T)> {
        self.0.iter_mut().map(|(number, value)| (*number, value))
    }

    pub(crate) fn numbers(&self) -> Vec<u16> {
        self.0.iter().map(|(number, _)| *number).collect()
    }

    fn position(&self, number: u16) -> Result<usize, usize> {
        // One channel is the common case.
        if let [(only, _)] = self.0.as_slice()
            && *only == number
        {
            return Ok(0);
        }
        self.0.binary_search_by_key(&number, |(it, _)| *it)
    }
}
