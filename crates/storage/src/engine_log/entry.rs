//! Opaque bytes in the shape the engine stores.

use std::any::Any;
use std::sync::OnceLock;

use protobuf::reflect::MessageDescriptor;
use protobuf::well_known_types::Empty;
use protobuf::{
    Clear, CodedInputStream, CodedOutputStream, Message, ProtobufResult, UnknownFields,
};
use raft_engine::MessageExt;

use crate::Payload;

/// Bytes of the index in front of every entry: the engine checks it when it reads one back.
const INDEX_LEN: usize = 8;

/// An entry as the engine sees it. The engine wants protobuf messages, but only ever asks them for
/// their bytes: this one's encoding is its index and the payload as it is, so that an entry costs
/// one copy and no tags or lengths.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Entry {
    pub(super) index: u64,
    pub(super) payload: Payload,
    unknown_fields: UnknownFields,
}

impl Entry {
    pub(super) fn new(index: u64, payload: Payload) -> Self {
        Self { index, payload, unknown_fields: UnknownFields::new() }
    }

    fn read(&mut self, bytes: &[u8]) -> ProtobufResult<()> {
        let Some((index, payload)) = bytes.split_first_chunk::<INDEX_LEN>() else {
            return Err(protobuf::ProtobufError::WireError(
                protobuf::error::WireError::UnexpectedEof,
            ));
        };
        self.index = u64::from_le_bytes(*index);
        self.payload = Payload::from(payload.to_vec());
        Ok(())
    }
}

/// Tells the engine where an entry's index is.
pub(super) struct Entries;

impl MessageExt for Entries {
    type Entry = Entry;

    fn index(entry: &Entry) -> u64 {
        entry.index
    }
}

impl Clear for Entry {
    fn clear(&mut self) {
        *self = Self::default();
    }
}

impl Message for Entry {
    fn descriptor(&self) -> &'static MessageDescriptor {
        Empty::default_instance().descriptor()
    }

    fn is_initialized(&self) -> bool {
        true
    }

    fn merge_from(&mut self, input: &mut CodedInputStream<'_>) -> ProtobufResult<()> {
        let mut bytes = Vec::new();
        while !input.eof()? {
            bytes.push(input.read_raw_byte()?);
        }
        self.read(&bytes)
    }

    fn parse_from_bytes(bytes: &[u8]) -> ProtobufResult<Self> {
        let mut entry = Self::default();
        entry.read(bytes)?;
        Ok(entry)
    }

    fn write_to_with_cached_sizes(&self, out: &mut CodedOutputStream<'_>) -> ProtobufResult<()> {
        let mut bytes = Vec::with_capacity(INDEX_LEN + self.payload.len());
        self.write_to_vec(&mut bytes)?;
        out.write_raw_bytes(&bytes)
    }

    fn write_to_vec(&self, out: &mut Vec<u8>) -> ProtobufResult<()> {
        out.extend_from_slice(&self.index.to_le_bytes());
        self.payload.copy_to(out);
        Ok(())
    }

    fn compute_size(&self) -> u32 {
        u32::try_from(INDEX_LEN + self.payload.len()).unwrap_or(u32::MAX)
    }

    fn get_cached_size(&self) -> u32 {
        self.compute_size()
    }

    fn get_unknown_fields(&self) -> &UnknownFields {
        &self.unknown_fields
    }

    fn mut_unknown_fields(&mut self) -> &mut UnknownFields {
        &mut self.unknown_fields
    }

    fn as_any(&self) -> &dyn Any {
        self
    }

    fn new() -> Self {
        Self::default()
    }

    fn default_instance() -> &'static Self {
        static INSTANCE: OnceLock<Entry> = OnceLock::new();
        INSTANCE.get_or_init(Self::default)
    }
}
