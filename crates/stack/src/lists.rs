//! Lists of ids that are linked through one array: joining, leaving and taking the first take the
//! same time however long a list is, and nothing is allocated.

/// Marks an id that is in no list.
const NOWHERE: u32 = u32::MAX;

#[derive(Clone, Copy, Debug)]
struct Node {
    next: u32,
    previous: u32,
}

/// Circular lists of the ids 0 to `ids - 1`, each in one list at most.
#[derive(Debug)]
pub(crate) struct Lists {
    /// The ids, then a head a list.
    nodes: Box<[Node]>,
    ids: u32,
}

impl Lists {
    /// `lists` empty lists. Together they are fewer than 2^32 - 1.
    pub(crate) fn new(ids: u32, lists: u32) -> Lists {
        let absent = Node {
            next: NOWHERE,
            previous: NOWHERE,
        };
        let mut nodes = vec![absent; ids as usize + lists as usize].into_boxed_slice();
        for (head, node) in (ids..).zip(&mut nodes[ids as usize..]) {
            *node = Node {
                next: head,
                previous: head,
            };
        }
        Lists { nodes, ids }
    }

    /// Puts `id` at the end of `list`; nothing changes if it is in a list.
    pub(crate) fn push(&mut self, list: u32, id: u32) {
        if self.nodes[id as usize].next != NOWHERE {
            return;
        }
        let head = self.ids + list;
        let last = self.nodes[head as usize].previous;
        self.nodes[id as usize] = Node {
            next: head,
            previous: last,
        };
        self.nodes[last as usize].next = id;
        self.nodes[head as usize].previous = id;
    }

    /// Takes `id` out of its list, if it is in one.
    pub(crate) fn remove(&mut self, id: u32) {
        let Node { next, previous } = self.nodes[id as usize];
        if next != NOWHERE {
            self.nodes[previous as usize].next = next;
            self.nodes[next as usize].previous = previous;
            self.nodes[id as usize].next = NOWHERE;
        }
    }

    /// Whether no id is in `list`.
    pub(crate) fn is_empty(&self, list: u32) -> bool {
        self.nodes[(self.ids + list) as usize].next >= self.ids
    }

    /// Puts all of `from` at the end of `to`, another list, in their order.
    pub(crate) fn append(&mut self, to: u32, from: u32) {
        if self.is_empty(from) {
            return;
        }
        let (to, from) = (self.ids + to, self.ids + from);
        let Node { next, previous } = self.nodes[from as usize];
        let last = self.nodes[to as usize].previous;
        self.nodes[last as usize].next = next;
        self.nodes[next as usize].previous = last;
        self.nodes[previous as usize].next = to;
        self.nodes[to as usize].previous = previous;
        self.nodes[from as usize] = Node {
            next: from,
            previous: from,
        };
    }

    /// Takes the first out of `list`.
    pub(crate) fn pop(&mut self, list: u32) -> Option<u32> {
        let first = self.nodes[(self.ids + list) as usize].next;
        (first < self.ids).then(|| {
            self.remove(first);
            first
        })
    }
}

#[cfg(test)]
mod tests {
    use std::collections::VecDeque;

    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn they_are_queues(steps in proptest::collection::vec((0u32..8, 0u32..3, 0..4), 0..200)) {
            let mut lists = Lists::new(8, 3);
            let mut model = [const { VecDeque::new() }; 3];
            for (id, list, step) in steps {
                let queue: &mut VecDeque<u32> = &mut model[list as usize];
                match step {
                    0 => prop_assert_eq!(lists.pop(list), queue.pop_front()),
                    1 => {
                        lists.remove(id);
                        model.iter_mut().for_each(|q| q.retain(|&i| i != id));
                    }
                    2 => {
                        let to = (list + 1 + id % 2) % 3;
                        lists.append(to, list);
                        let mut moved = std::mem::take(&mut model[list as usize]);
                        model[to as usize].append(&mut moved);
                    }
                    _ => {
                        lists.push(list, id);
                        if model.iter().all(|q| !q.contains(&id)) {
                            model[list as usize].push_back(id);
                        }
                    }
                }
            }
            for (list, queue) in (0..).zip(&mut model) {
                while let Some(id) = queue.pop_front() {
                    prop_assert_eq!(lists.pop(list), Some(id));
                }
                prop_assert_eq!(lists.pop(list), None);
            }
        }
    }
}
