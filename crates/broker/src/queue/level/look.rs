//! Looking at the messages of a level without touching them.

use crate::queue::Ticket;
use crate::queue::effects::Freed;
use crate::queue::look::{Look, Seen};
use crate::queue::page::Page;
use crate::queue::record::{DEAD, Header, UNACKED};

use super::paging::Recovered;
use super::{Chunk, Found, Level, Place};
use crate::PageRef;

/// Chunks walked over at a time: that long the queue is locked.
const CHUNKS_MAX: usize = 64;

/// A chunk whose records lie on its page only, as it is now: to be read with nothing locked.
#[derive(Debug)]
pub(in crate::queue) struct AbsentChunk {
    chunk: Chunk,
    level: u8,
    recovered: Recovered,
    owner: u64,
    wanted: Wanted,
}

/// The messages of a chunk that somebody wants to see.
#[derive(Debug)]
enum Wanted {
    /// Those ready in their place from this offset and this seq on.
    From { offset: u32, seq: u64 },
    /// Those that came back, by seq.
    Returned(Vec<u64>),
}

impl AbsentChunk {
    /// Its page and all that its messages refer to.
    pub(in crate::queue) fn pages(&self) -> impl Iterator<Item = PageRef> {
        let page = self.chunk.page.as_deref();
        page.into_iter()
            .flat_map(|page| std::iter::once(page.at).chain(page.blobs.iter().map(|blob| blob.at)))
    }

    /// The page to read.
    pub(in crate::queue) fn page(&self) -> Option<PageRef> {
        self.chunk.page.as_deref().map(|page| page.at)
    }

    /// The wanted messages, from the bytes of the page. What of it `is_sound` is not is left out.
    pub(in crate::queue) fn open(
        &mut self,
        bytes: &[u8],
        is_sound: bool,
    ) -> impl Iterator<Item = Seen> {
        let Self { chunk, level, recovered, owner, wanted } = self;
        chunk.unpack(bytes, is_sound, *recovered, *owner, &mut Freed::default());
        let (chunk, level, not_ready) = (&*chunk, *level, DEAD | UNACKED | recovered.moved);
        let is_wanted = move |(offset, header): &(u32, Header)| match &*wanted {
            Wanted::From { offset: from, seq } => {
                from <= offset && *seq <= header.seq && !header.is(not_ready)
            }
            Wanted::Returned(seqs) => seqs.contains(&header.seq) && !header.is(DEAD),
        };
        let wanted = chunk.headers().filter(is_wanted);
        wanted.map(move |(offset, header)| {
            let place = Place { chunk: 0, offset };
            Seen::new(level, &Found { place, header, chunk })
        })
    }
}

impl Level {
    /// Shows the ready messages from `seq` on, in their order, up to the first page that has to be read
    /// for more. Returns the seq to go on with, if there may be more.
    pub(in crate::queue) fn look(
        &self,
        number: u8,
        seq: u64,
        look: &mut Look,
        out: &mut Vec<Seen>,
    ) -> Option<u64> {
        let mut returned = self.returned.range(seq..).peekable();
        while let Some((&seq, &place)) = returned.next() {
            if self.is_absent(place.chunk) {
                let beside = |(_, it): &(&u64, &Place)| it.chunk == place.chunk;
                let mut seqs = vec![seq];
                while let Some((&seq, _)) = returned.next_if(beside) {
                    seqs.push(seq);
                }
                let next = seqs.last().map_or(seq, |last| last + 1);
                out.extend(self.absent_chunk(number, place.chunk, Wanted::Returned(seqs)));
                return Some(next);
            }
            let Some(found) = self.record_at(place) else { continue };
            if look.admit(|| Seen::new(number, &found), out) {
                return Some(seq + 1);
            }
        }
        self.look_at_tail(number, seq, look, out)
    }

    fn look_at_tail(
        &self,
        number: u8,
        seq: u64,
        look: &mut Look,
        out: &mut Vec<Seen>,
    ) -> Option<u64> {
        let cursor = self.normalise(self.cursor);
        let first = self.chunk_of(seq).filter(|&it| 0 < it.wrapping_sub(cursor.chunk) as i32);
        let mut at = first.unwrap_or(cursor.chunk);
        for _ in 0..CHUNKS_MAX {
            let chunk = self.chunk(at)?;
            let offset = if at == cursor.chunk { cursor.offset } else { 0 };
            if let Some(page) =
                chunk.page.as_deref().filter(|it| chunk.is_absent() && seq <= it.last_seq)
            {
                let is_whole = at != cursor.chunk && seq <= chunk.first_seq;
                if !(is_whole && look.skip(chunk.ready_absent())) {
                    let wanted = Wanted::From { offset, seq };
                    out.extend(self.absent_chunk(number, at, wanted));
                    return Some(page.last_seq + 1);
                }
            }
            for (offset, header) in chunk.headers().filter(|(at, _)| offset <= *at) {
                if header.seq < seq || header.is(self.not_ready()) {
                    continue;
                }
                let place = Place { chunk: at, offset };
                if look.admit(|| Seen::new(number, &Found { place, header, chunk }), out) {
                    return Some(header.seq + 1);
                }
            }
            at = at.wrapping_add(1);
        }
        self.chunk(at).map(|chunk| chunk.first_seq)
    }

    /// A message that is somewhere else in the order, when its chunk is not in memory.
    pub(in crate::queue) fn absent_one(&self, ticket: Ticket) -> Option<Seen> {
        let wanted = Wanted::Returned(vec![ticket.seq()]);
        self.absent_chunk(ticket.level(), ticket.place().chunk, wanted)
    }

    fn absent_chunk(&self, level: u8, number: u32, wanted: Wanted) -> Option<Seen> {
        let absent = self.chunk(number)?;
        let page: Page = absent.page.as_deref()?.clone();
        let (page, first_seq) = (Some(Box::new(page)), absent.first_seq);
        let chunk = Chunk { page, first_seq, ..Chunk::default() };
        let (recovered, owner) = (self.recovered(), self.owner);
        Some(Seen::on_page(AbsentChunk { chunk, level, recovered, owner, wanted }))
    }
}

impl Chunk {
    /// Messages that are ready in their places, when it is not in memory.
    fn ready_absent(&self) -> u64 {
        let away = self.page.as_deref().and_then(|page| page.marks.as_deref());
        u64::from(self.live.saturating_sub(away.map_or(0, |marks| marks.unacked + marks.moved)))
    }
}
