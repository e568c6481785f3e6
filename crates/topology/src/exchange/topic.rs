//! `topic`: words between dots, `*` stands for one word, `#` for any number of them.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hash, Hasher};
use std::sync::Arc;

use super::lists::{BindingLists, ListId};
use super::{DependsOn, ExchangeType, Found, NewBinding, Routed, Routes};
use crate::{Binding, Refusal};

pub(super) const TYPE: ExchangeType = ExchangeType {
    name: "topic",
    description: "AMQP topic exchange, as per the AMQP specification",
    depends_on: DependsOn::Keys,
    validate_binding,
    routes: || Box::<Topic>::default(),
};

/// How many `#` a binding key may have: each multiplies the work of a match.
const HASH_WILDCARDS_MAX: usize = 2;

/// The root of the trie.
const ROOT: NodeId = NodeId(0);

/// A trie over the words of the binding keys.
///
/// A key is only taken apart as far as it takes to tell it from the others: the last edge on its
/// path leads to the list of the bindings with that key, and what is left of the key is compared
/// there. The edges of all nodes are in one table, under a hash of node and word.
#[derive(Debug)]
struct Topic {
    edges: HashMap<Edge, Target, BuildHasherDefault<AlreadyHashed>>,
    nodes: Vec<Node>,
    free_nodes: Vec<NodeId>,
    lists: BindingLists,
    hashers: [ahash::RandomState; 2],
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct NodeId(u32);

/// 96 bits of keyed hashes of a node and a word. They stand for the word itself: a million edges
/// have two alike once in 10^17 exchanges.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Edge([u32; 3]);

impl Hash for Edge {
    fn hash<H: Hasher>(&self, state: &mut H) {
        let [a, b, _] = self.0;
        state.write_u64(u64::from(a) << 32 | u64::from(b));
    }
}

/// What an edge leads to.
#[derive(Clone, Copy, Debug)]
enum Target {
    Node(NodeId),
    List(ListId),
}

#[derive(Clone, Copy, Debug, Default)]
struct Node {
    /// The bindings whose key ends here.
    end: Option<ListId>,
    /// How many edges leave it.
    edges: u32,
    has_star: bool,
    has_hash: bool,
}

impl Default for Topic {
    fn default() -> Self {
        Self {
            edges: HashMap::default(),
            nodes: vec![Node::default()],
            free_nodes: Vec::new(),
            lists: BindingLists::default(),
            hashers: [ahash::RandomState::new(), ahash::RandomState::new()],
        }
    }
}

impl Routes for Topic {
    fn add_binding(&mut self, binding: &Arc<Binding>) {
        let mut words = Words::of(binding.key.as_bytes());
        let mut node = ROOT;
        let mut depth = 0;
        loop {
            let Some(word) = words.next() else {
                self.add_to_end(node, Arc::clone(binding));
                return;
            };
            let edge = self.edge(node, word);
            depth += 1;
            match self.edges.get(&edge).copied() {
                None => {
                    let list = self.lists.start(Arc::clone(binding));
                    self.insert_edge(node, word, edge, Target::List(list));
                    return;
                }
                Some(Target::List(list)) => {
                    if self.lists.first(list).key == binding.key {
                        self.lists.push(list, Arc::clone(binding));
                        return;
                    }
                    node = self.split(edge, list, depth);
                }
                Some(Target::Node(next)) => node = next,
            }
        }
    }

    fn remove_binding(&mut self, binding: &Arc<Binding>) {
        let mut path = Vec::new();
        let mut node = ROOT;
        for word in Words::of(binding.key.as_bytes()) {
            let edge = self.edge(node, word);
            match self.edges.get(&edge).copied() {
                None => return,
                Some(Target::Node(next)) => {
                    path.push((node, word, edge));
                    node = next;
                }
                Some(Target::List(list)) => {
                    match self.lists.remove(list, binding) {
                        Some(list) => {
                            self.edges.insert(edge, Target::List(list));
                        }
                        None => {
                            self.remove_edge(node, word, edge);
                            self.prune(node, path);
                        }
                    }
                    return;
                }
            }
        }
        let end = self.nodes[node.0 as usize].end;
        self.nodes[node.0 as usize].end = end.and_then(|list| self.lists.remove(list, binding));
        self.prune(node, path);
    }

    fn route(&self, routed: &Routed<'_>, found: &mut Found<'_>) {
        for key in routed.routing_keys {
            let words: smallvec::SmallVec<[&[u8]; 16]> = Words::of(key).collect();
            Matching { topic: self, words: &words, found }.visit(ROOT, 0);
        }
    }

    fn bindings(&self) -> Vec<Arc<Binding>> {
        self.lists.all()
    }
}

impl Topic {
    fn edge(&self, node: NodeId, word: &[u8]) -> Edge {
        let [a, b] = &self.hashers;
        let (a, b) = (a.hash_one((node.0, word)), b.hash_one((node.0, word)));
        #[expect(clippy::cast_possible_truncation, reason = "halves of a hash")]
        Edge([(a >> 32) as u32, a as u32, b as u32])
    }

    fn insert_edge(&mut self, node: NodeId, word: &[u8], edge: Edge, target: Target) {
        self.edges.insert(edge, target);
        let node = &mut self.nodes[node.0 as usize];
        node.edges += 1;
        match word {
            b"*" => node.has_star = true,
            b"#" => node.has_hash = true,
            _ => {}
        }
    }

    fn remove_edge(&mut self, node: NodeId, word: &[u8], edge: Edge) {
        self.edges.remove(&edge);
        let node = &mut self.nodes[node.0 as usize];
        node.edges -= 1;
        match word {
            b"*" => node.has_star = false,
            b"#" => node.has_hash = false,
            _ => {}
        }
    }

    fn add_to_end(&mut self, node: NodeId, binding: Arc<Binding>) {
        match self.nodes[node.0 as usize].end {
            Some(list) => self.lists.push(list, binding),
            None => self.nodes[node.0 as usize].end = Some(self.lists.start(binding)),
        }
    }

    /// Puts a node between an edge and the list it leads to, whose key has another word (or its end)
    /// after `depth` words.
    fn split(&mut self, edge: Edge, list: ListId, depth: usize) -> NodeId {
        let node = self.new_node();
        self.edges.insert(edge, Target::Node(node));
        let first = Arc::clone(self.lists.first(list));
        match Words::of(first.key.as_bytes()).nth(depth) {
            None => self.nodes[node.0 as usize].end = Some(list),
            Some(word) => {
                let below = self.edge(node, word);
                self.insert_edge(node, word, below, Target::List(list));
            }
        }
        node
    }

    fn new_node(&mut self) -> NodeId {
        if let Some(node) = self.free_nodes.pop() {
            self.nodes[node.0 as usize] = Node::default();
            return node;
        }
        let node = NodeId(u32::try_from(self.nodes.len()).expect("fewer than 4 billion nodes"));
        self.nodes.push(Node::default());
        node
    }

    /// Removes `node` and those above it on `path` as far as nothing is left in them.
    fn prune(&mut self, mut node: NodeId, mut path: Vec<(NodeId, &[u8], Edge)>) {
        while let Some((parent, word, edge)) = path.pop() {
            let Node { end: None, edges: 0, .. } = self.nodes[node.0 as usize] else { return };
            self.free_nodes.push(node);
            self.remove_edge(parent, word, edge);
            node = parent;
        }
    }
}

/// One walk through the trie.
struct Matching<'a, 'b> {
    topic: &'a Topic,
    words: &'a [&'a [u8]],
    found: &'a mut Found<'b>,
}

impl Matching<'_, '_> {
    /// Visits a node, `idx` words of the routing key being behind it.
    fn visit(&mut self, node: NodeId, idx: usize) {
        let Node { end, has_star, has_hash, edges } = self.topic.nodes[node.0 as usize];
        if idx == self.words.len()
            && let Some(list) = end
        {
            self.collect(list);
        }
        if edges == 0 {
            return;
        }
        if let Some(word) = self.words.get(idx) {
            if !matches!(*word, b"*" | b"#") {
                self.follow(node, word, idx + 1);
            }
            if has_star {
                self.follow(node, b"*", idx + 1);
            }
        }
        if has_hash {
            self.follow_hash(node, idx);
        }
    }

    fn follow(&mut self, node: NodeId, word: &[u8], idx: usize) {
        match self.topic.edges.get(&self.topic.edge(node, word)) {
            None => {}
            Some(Target::List(list)) => self.collect(*list),
            Some(Target::Node(node)) => self.visit(*node, idx),
        }
    }

    /// `#` may stand for any number of the words that are left.
    fn follow_hash(&mut self, node: NodeId, idx: usize) {
        match self.topic.edges.get(&self.topic.edge(node, b"#")) {
            None => {}
            Some(Target::List(list)) => self.collect(*list),
            Some(Target::Node(node)) => {
                for idx in idx..=self.words.len() {
                    self.visit(*node, idx);
                }
            }
        }
    }

    fn collect(&mut self, list: ListId) {
        let mut bindings = self.topic.lists.iter(list).peekable();
        let Some(first) = bindings.peek() else { return };
        if !matches(first.key.as_bytes(), self.words) {
            return;
        }
        for binding in bindings {
            self.found.add(&binding.destination);
        }
    }
}

/// Whether a whole binding key matches the words of a routing key.
fn matches(key: &[u8], words: &[&[u8]]) -> bool {
    matches_words(Words::of(key), words)
}

fn matches_words(mut pattern: Words<'_>, mut words: &[&[u8]]) -> bool {
    loop {
        match pattern.next() {
            None => return words.is_empty(),
            Some(b"#") => {
                if pattern.is_at_end() {
                    return true;
                }
                return (0..=words.len())
                    .any(|skip| matches_words(pattern.clone(), &words[skip..]));
            }
            Some(word) => match words.split_first() {
                Some((first, rest)) if word == b"*" || word == *first => words = rest,
                _ => return false,
            },
        }
    }
}

/// The words of a key: none in the empty key, otherwise one more than dots.
#[derive(Clone)]
struct Words<'a>(Option<&'a [u8]>);

impl<'a> Words<'a> {
    fn of(key: &'a [u8]) -> Self {
        Self((!key.is_empty()).then_some(key))
    }

    fn is_at_end(&self) -> bool {
        self.0.is_none()
    }
}

impl<'a> Iterator for Words<'a> {
    type Item = &'a [u8];

    fn next(&mut self) -> Option<&'a [u8]> {
        let rest = self.0?;
        match rest.iter().position(|byte| *byte == b'.') {
            Some(dot) => {
                self.0 = Some(&rest[dot + 1..]);
                Some(&rest[..dot])
            }
            None => {
                self.0 = None;
                Some(rest)
            }
        }
    }
}

/// The keys of the edges are hashes.
#[derive(Debug, Default)]
struct AlreadyHashed(u64);

impl Hasher for AlreadyHashed {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, _: &[u8]) {
        unreachable!("only u64 keys are hashed");
    }

    fn write_u64(&mut self, hash: u64) {
        self.0 = hash;
    }
}

fn validate_binding(binding: &NewBinding<'_>) -> Result<(), Refusal> {
    let count = Words::of(binding.key.as_bytes()).filter(|word| *word == b"#").count();
    if HASH_WILDCARDS_MAX < count {
        return Err(Refusal::precondition_failed(format!(
            "Topic binding key '{}' uses {count} '#' wildcards, at most {HASH_WILDCARDS_MAX} are allowed",
            binding.key
        )));
    }
    Ok(())
}
