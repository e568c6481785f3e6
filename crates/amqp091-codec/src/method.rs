//! Methods in general: their ids, their errors, and the macro that makes types of the grammar.

use std::fmt;

use thiserror::Error;

use crate::erlang_text::Octets;
use crate::frame::{FRAME_END, HEADER_SIZE};
use crate::wire::FieldError;
use crate::{FrameKind, Method};

/// The two numbers that name a method on the wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct MethodId {
    /// The class, such as 50 for queue.
    pub class_id: u16,
    /// The method within its class.
    pub method_id: u16,
}

impl MethodId {
    /// `0,0`: what RabbitMQ sends where no method is to blame.
    pub const NONE: Self = Self { class_id: 0, method_id: 0 };

    /// Both numbers in one, class first.
    #[inline]
    pub(crate) const fn as_u32(self) -> u32 {
        (self.class_id as u32) << 16 | self.method_id as u32
    }
}

/// The name if there is one, otherwise the numbers.
impl fmt::Display for MethodId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.name() {
            Some(name) => f.write_str(name),
            None => write!(f, "{},{}", self.class_id, self.method_id),
        }
    }
}

/// A method whose arguments are still bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RawMethod<'a> {
    /// Which method; known to the grammar when it comes from [`Frame::parse`](crate::Frame::parse).
    pub id: MethodId,
    /// The arguments.
    pub arguments: &'a [u8],
}

impl<'a> RawMethod<'a> {
    /// The ids and the rest of a method frame's payload; `None` if it is shorter than the ids.
    #[inline]
    pub fn split(payload: &'a [u8]) -> Option<Self> {
        let ([a, b, c, d], arguments) = payload.split_first_chunk()?;
        let class_id = u16::from_be_bytes([*a, *b]);
        let method_id = u16::from_be_bytes([*c, *d]);
        Some(Self { id: MethodId { class_id, method_id }, arguments })
    }

    /// Decodes the arguments.
    #[inline]
    pub fn decode(&self) -> Result<Method<'a>, MethodError> {
        Method::decode(self.id, self.arguments)
    }
}

/// What is wrong with a method. `Display` is RabbitMQ's explanation where it gives one.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum MethodError {
    /// The arguments end too early or too late: answered with FRAME_ERROR and the method's ids.
    #[error("cannot decode {}", Octets(.arguments))]
    CannotDecode {
        /// Which method.
        method: MethodId,
        /// Its arguments, at most a frame of them.
        arguments: Box<[u8]>,
    },
    /// A short string is not UTF-8: answered with FRAME_ERROR and the ids 0,0.
    #[error("Malformed UTF-8 in shortstr")]
    MalformedUtf8 {
        /// Which method.
        method: MethodId,
    },
    /// A table holds what RabbitMQ's parser has no clause for: it drops the socket without a word.
    #[error("{method}: {error}")]
    BadTable {
        /// Which method.
        method: MethodId,
        /// What the table holds.
        error: field_table::DecodeError,
    },
    /// No such method: RabbitMQ drops the socket without a word.
    #[error("unknown method {0}")]
    Unknown(MethodId),
}

impl MethodError {
    /// The code RabbitMQ closes the connection with, and the method it blames; `None` where it
    /// drops the socket unanswered.
    pub fn reply(&self) -> Option<(crate::ReplyCode, MethodId)> {
        match self {
            Self::CannotDecode { method, .. } => Some((crate::ReplyCode::FrameError, *method)),
            Self::MalformedUtf8 { .. } => Some((crate::ReplyCode::FrameError, MethodId::NONE)),
            Self::BadTable { .. } | Self::Unknown(_) => None,
        }
    }

    #[cold]
    pub(crate) fn cannot_decode(method: MethodId, arguments: &[u8]) -> Self {
        Self::CannotDecode { method, arguments: arguments.into() }
    }

    #[cold]
    pub(crate) fn field(method: MethodId, error: FieldError) -> Self {
        match error {
            FieldError::Utf8 => Self::MalformedUtf8 { method },
            FieldError::Table(error) => Self::BadTable { method, error },
        }
    }
}

/// The arguments of one method: what its struct and the bytes after its ids have in common.
pub trait MethodArguments<'a>: Sized {
    /// The ids.
    const ID: MethodId;
    /// The name, such as `queue.declare`.
    const NAME: &'static str;

    /// Decodes the bytes after the ids.
    fn decode(arguments: &'a [u8]) -> Result<Self, MethodError>;

    /// Appends the bytes after the ids. Short strings of more than 255 bytes are cut.
    ///
    /// # Panics
    /// If a long string or table takes 4 GiB or more.
    fn encode(&self, out: &mut Vec<u8>);
}

/// Appends `method` as a frame on `channel`.
///
/// # Panics
/// If the frame would take 4 GiB or more.
pub fn encode_method(channel: u16, method: &Method<'_>, out: &mut Vec<u8>) {
    put_method_frame(channel, method.ids(), out, |out| method.encode_arguments(out));
}

/// Appends a method frame whose arguments `put_arguments` appends.
#[inline]
pub(crate) fn put_method_frame(
    channel: u16,
    id: MethodId,
    out: &mut Vec<u8>,
    put_arguments: impl FnOnce(&mut Vec<u8>),
) {
    let start = out.len();
    let [channel_high, channel_low] = channel.to_be_bytes();
    out.extend_from_slice(&[FrameKind::Method as u8, channel_high, channel_low, 0, 0, 0, 0]);
    out.extend_from_slice(&id.as_u32().to_be_bytes());
    put_arguments(out);
    let size = out.len() - start - HEADER_SIZE;
    let size = u32::try_from(size).expect("a method frame has fewer than 4 GiB");
    out[start + 3..start + HEADER_SIZE].copy_from_slice(&size.to_be_bytes());
    out.push(FRAME_END);
}

/// Makes of each line of the grammar a struct, its codec and a variant of [`Method`].
macro_rules! methods {
    ($(
        $(#[$attribute:meta])*
        $name:ident $(<$lifetime:lifetime>)? = $class_id:literal, $method_id:literal, $text:literal
        { $($field:ident: $kind:ty),* $(,)? }
    )*) => {
        $(
            $(#[$attribute])*
            #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
            #[allow(missing_docs, reason = "the arguments are those of the specification")]
            pub struct $name $(<$lifetime>)? {
                $(pub $field: $kind,)*
            }

            impl<'a> $crate::MethodArguments<'a> for $name $(<$lifetime>)? {
                const ID: $crate::MethodId =
                    $crate::MethodId { class_id: $class_id, method_id: $method_id };
                const NAME: &'static str = $text;

                #[inline]
                #[allow(unused_mut, reason = "some methods have no arguments")]
                fn decode(arguments: &'a [u8]) -> Result<Self, $crate::MethodError> {
                    let mut reader = $crate::wire::Reader::new(arguments);
                    $(
                        let Some($field) = <$kind as $crate::wire::Field<'a>>::take(&mut reader)
                        else {
                            return Err($crate::MethodError::cannot_decode(Self::ID, arguments));
                        };
                    )*
                    if !reader.is_at_end() {
                        return Err($crate::MethodError::cannot_decode(Self::ID, arguments));
                    }
                    Ok(Self {
                        $(
                            $field: <$kind as $crate::wire::Field<'a>>::check($field)
                                .map_err(|error| $crate::MethodError::field(Self::ID, error))?,
                        )*
                    })
                }

                #[inline]
                #[allow(unused_mut, unused_variables, reason = "some methods have no arguments")]
                fn encode(&self, out: &mut Vec<u8>) {
                    let mut writer = $crate::wire::Writer::new(out);
                    $($crate::wire::Field::put(&self.$field, &mut writer);)*
                }
            }

            impl<'a> From<$name $(<$lifetime>)?> for Method<'a> {
                #[inline]
                fn from(arguments: $name $(<$lifetime>)?) -> Self {
                    Self::$name(arguments)
                }
            }
        )*

        /// Any method with its arguments, which borrow from the frame they came in.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum Method<'a> {
            $(
                #[doc = concat!("`", $text, "`")]
                $name($name $(<$lifetime>)?),
            )*
        }

        impl<'a> Method<'a> {
            /// Every method's ids and name, in the order of the grammar.
            pub const ALL: &'static [($crate::MethodId, &'static str)] = &[
                $((
                    $crate::MethodId { class_id: $class_id, method_id: $method_id },
                    $text,
                ),)*
            ];

            /// Decodes the arguments of the method with these ids.
            #[inline]
            pub fn decode(
                id: $crate::MethodId,
                arguments: &'a [u8],
            ) -> Result<Self, $crate::MethodError> {
                match (id.class_id, id.method_id) {
                    $(
                        ($class_id, $method_id) => {
                            <$name $(<$lifetime>)? as $crate::MethodArguments<'a>>::decode(arguments)
                                .map(Self::$name)
                        }
                    )*
                    _ => Err($crate::MethodError::Unknown(id)),
                }
            }

            /// The ids.
            pub fn ids(&self) -> $crate::MethodId {
                match self {
                    $(
                        Self::$name(_) => {
                            $crate::MethodId { class_id: $class_id, method_id: $method_id }
                        }
                    )*
                }
            }

            /// The name, such as `queue.declare`.
            pub fn name(&self) -> &'static str {
                match self {
                    $(Self::$name(_) => $text,)*
                }
            }

            pub(crate) fn encode_arguments(&self, out: &mut Vec<u8>) {
                match self {
                    $(Self::$name(arguments) => $crate::MethodArguments::encode(arguments, out),)*
                }
            }
        }

        impl $crate::MethodId {
            /// The method's name, if the grammar has it.
            pub fn name(self) -> Option<&'static str> {
                match (self.class_id, self.method_id) {
                    $(($class_id, $method_id) => Some($text),)*
                    _ => None,
                }
            }

            /// Whether the grammar has the method.
            #[inline]
            pub fn is_known(self) -> bool {
                matches!(
                    (self.class_id, self.method_id),
                    $(($class_id, $method_id))|*
                )
            }
        }
    };
}

pub(crate) use methods;

#[cfg(test)]
mod tests;
