//! `topic`: words between dots, `*` stands for one word, `#` for any number of them.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hash, Hasher};
use std::sync::Arc;

use smallvec::SmallVec;

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
    star: WordHash,
    hash: WordHash,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct NodeId(u32);

/// A word, hashed with two keys.
#[derive(Clone, Copy, Debug)]
struct WordHash([u64; 2]);

/// 96 bits of keyed hashes of a node and a word. They stand for the word itself: a million edges
/// have two alike once in 10^17 exchanges.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Edge([u32; 3]);

impl Edge {
    fn new(node: NodeId, WordHash([a, b]): WordHash) -> Self {
        // Odd constants of the golden ratio and of the square root of 3: they only have to differ.
        let (a, b) = (mix(a, node, 0x9e37_79b9_7f4a_7c15), mix(b, node, 0xbb67_ae85_84ca_a73b));
        #[expect(clippy::cast_possible_truncation, reason = "parts of a hash")]
        Self([(a >> 32) as u32, a as u32, b as u32])
    }
}

/// Both halves of a long product, so that every bit of the operands tells.
#[expect(clippy::cast_possible_truncation, reason = "halves of a product")]
fn mix(word: u64, node: NodeId, constant: u64) -> u64 {
    let node = u64::from(node.0).wrapping_add(1).wrapping_mul(constant);
    let product = u128::from(word ^ node) * u128::from(constant);
    (product >> 64) as u64 ^ product as u64
}

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
    /// To bindings with one key. Whether the path spells all of it: then nothing is left to compare.
    List(ListId, Whole),
}

/// Whether a path spells a whole key.
type Whole = bool;

#[derive(Clone, Copy, Debug, Default)]
struct Node {
    /// The bindings whose key ends here.
    end: Option<ListId>,
    /// How many edges leave it.
    edges: u32,
    has_star: bool,
    has_hash: bool,
}

fn word_hash([a, b]: &[ahash::RandomState; 2], word: &[u8]) -> WordHash {
    WordHash([a.hash_one(word), b.hash_one(word)])
}

impl Default for Topic {
    fn default() -> Self {
        let hashers = [ahash::RandomState::new(), ahash::RandomState::new()];
        Self {
            star: word_hash(&hashers, b"*"),
            hash: word_hash(&hashers, b"#"),
            hashers,
            edges: HashMap::default(),
            nodes: vec![Node::default()],
            free_nodes: Vec::new(),
            lists: BindingLists::default(),
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
                    let target = Target::List(list, words.is_at_end());
                    self.insert_edge(node, word, edge, target);
                    return;
                }
                Some(Target::List(list, _)) => {
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
                Some(Target::List(list, whole)) => {
                    match self.lists.remove(list, binding) {
                        Some(list) => {
                            self.edges.insert(edge, Target::List(list, whole));
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
            let words = Words::of(key).map(|word| (word, word_hash(&self.hashers, word)));
            let words: SmallVec<[_; 16]> = words.collect();
            Matching { topic: self, words: &words, found }.visit(ROOT, 0);
        }
    }

    fn bindings(&self) -> Vec<Arc<Binding>> {
        self.lists.all()
    }
}

impl Topic {
    fn edge(&self, node: NodeId, word: &[u8]) -> Edge {
        Edge::new(node, word_hash(&self.hashers, word))
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
        let mut words = Words::of(first.key.as_bytes());
        match words.nth(depth) {
            None => self.nodes[node.0 as usize].end = Some(list),
            Some(word) => {
                let below = self.edge(node, word);
                self.insert_edge(node, word, below, Target::List(list, words.is_at_end()));
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
    words: &'a [(&'a [u8], WordHash)],
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
        if let Some((word, hash)) = self.words.get(idx) {
            if !matches!(*word, b"*" | b"#") {
                self.follow(node, *hash, idx + 1);
            }
            if has_star {
                self.follow(node, self.topic.star, idx + 1);
            }
        }
        if has_hash {
            self.follow_hash(node, idx);
        }
    }

    fn follow(&mut self, node: NodeId, word: WordHash, idx: usize) {
        match self.topic.edges.get(&Edge::new(node, word)) {
            None => {}
            Some(Target::List(list, true)) if idx == self.words.len() => self.collect(*list),
            Some(Target::List(_, true)) => {}
            Some(Target::List(list, false)) => self.collect_matching(*list),
            Some(Target::Node(node)) => self.visit(*node, idx),
        }
    }

    /// `#` may stand for any number of the words that are left.
    fn follow_hash(&mut self, node: NodeId, idx: usize) {
        match self.topic.edges.get(&Edge::new(node, self.topic.hash)) {
            None => {}
            Some(Target::List(list, true)) => self.collect(*list),
            Some(Target::List(list, false)) => self.collect_matching(*list),
            Some(Target::Node(node)) => {
                for idx in idx..=self.words.len() {
                    self.visit(*node, idx);
                }
            }
        }
    }

    fn collect(&mut self, list: ListId) {
        self.topic.lists.collect(list, self.found);
    }

    fn collect_matching(&mut self, list: ListId) {
        let key = &self.topic.lists.first(list).key;
        if matches(Words::of(key.as_bytes()), self.words) {
            self.collect(list);
        }
    }
}

/// Whether a whole binding key matches the words of a routing key.
fn matches(mut pattern: Words<'_>, mut words: &[(&[u8], WordHash)]) -> bool {
    loop {
        match pattern.next() {
            None => return words.is_empty(),
            Some(b"#") => {
                return pattern.is_at_end()
                    || (0..=words.len()).any(|skip| matches(pattern.clone(), &words[skip..]));
            }
            Some(word) => match words.split_first() {
                Some(((first, _), rest)) if word == b"*" || word == *first => words = rest,
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
