//! A list that has one item nearly always, which then takes no allocation.

use std::ops::Deref;

/// Some items, mostly one.
#[derive(Debug, Clone, Default)]
pub(super) enum Few<T> {
    #[default]
    None,
    One(T),
    Many(Vec<T>),
}

impl<T> Few<T> {
    pub(super) fn push(&mut self, item: T) {
        *self = match std::mem::take(self) {
            Self::None => Self::One(item),
            Self::One(first) => Self::Many(vec![first, item]),
            Self::Many(mut items) => {
                items.push(item);
                Self::Many(items)
            }
        };
    }

    pub(super) fn retain(&mut self, mut keep: impl FnMut(&T) -> bool) {
        match self {
            Self::None => {}
            Self::One(item) => {
                if !keep(item) {
                    *self = Self::None;
                }
            }
            Self::Many(items) => items.retain(keep),
        }
    }
}

impl<T> Deref for Few<T> {
    type Target = [T];

    fn deref(&self) -> &[T] {
        match self {
            Self::None => &[],
            Self::One(item) => std::slice::from_ref(item),
            Self::Many(items) => items,
        }
    }
}

impl<T: PartialEq> PartialEq for Few<T> {
    fn eq(&self, other: &Self) -> bool {
        **self == **other
    }
}

impl<T: Eq> Eq for Few<T> {}

impl<T> FromIterator<T> for Few<T> {
    fn from_iter<I: IntoIterator<Item = T>>(items: I) -> Self {
        let mut few = Self::None;
        for item in items {
            few.push(item);
        }
        few
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn it_is_what_a_vector_is(steps in proptest::collection::vec((any::<bool>(), 0..4_u8), 0..12)) {
            let (mut few, mut plain) = (Few::None, Vec::new());
            for (push, item) in steps {
                if push {
                    few.push(item);
                    plain.push(item);
                } else {
                    few.retain(|other| *other != item);
                    plain.retain(|other| *other != item);
                }
                prop_assert_eq!(&*few, plain.as_slice());
                prop_assert_eq!(&few, &plain.iter().copied().collect());
            }
        }
    }
}
