//! The octets before the first frame.

/// What a client opens its connection with (AMQP 0-9-1 §4.2.2), as far as RabbitMQ tells it apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProtocolHeader {
    /// `AMQP` and four octets: the version asked for. Which of them are served is the front-end's
    /// to know; RabbitMQ takes [`V0_9_1`](Self::V0_9_1), [`V1_1_0_9`](Self::V1_1_0_9),
    /// [`V1_1_8_0`](Self::V1_1_8_0), and those of AMQP 1.0.
    Amqp([u8; 4]),
    /// `GET `: a browser or a health check.
    Http,
    /// The first octets of a TLS client hello.
    Tls,
    /// Eight octets that are none of these.
    Unknown([u8; 8]),
}

impl ProtocolHeader {
    /// How many octets a header has.
    pub const LEN: usize = 8;
    /// AMQP 0-9-1.
    pub const V0_9_1: Self = Self::Amqp([0, 0, 9, 1]);
    /// What AMQP 0-9 clients send: RabbitMQ serves them 0-9-1.
    pub const V1_1_0_9: Self = Self::Amqp([1, 1, 0, 9]);
    /// What AMQP 0-8 clients send; no longer served.
    pub const V1_1_8_0: Self = Self::Amqp([1, 1, 8, 0]);
    /// AMQP 1.0 with SASL, the only way RabbitMQ takes it.
    pub const V1_0_SASL: Self = Self::Amqp([3, 1, 0, 0]);
    /// AMQP 1.0 without SASL.
    pub const V1_0: Self = Self::Amqp([0, 1, 0, 0]);

    /// The header that the first eight octets make; `None` while there are fewer.
    pub fn parse(bytes: &[u8]) -> Option<Self> {
        let header = bytes.first_chunk::<{ Self::LEN }>()?;
        Some(match header {
            [b'A', b'M', b'Q', b'P', version @ ..] => Self::Amqp(*version),
            [b'G', b'E', b'T', b' ', ..] => Self::Http,
            [0x16, 0x03, _, _, _, 0x01, ..] => Self::Tls,
            _ => Self::Unknown(*header),
        })
    }

    /// The octets of `AMQP` and a version, to send.
    pub const fn amqp_bytes(version: [u8; 4]) -> [u8; Self::LEN] {
        let [a, b, c, d] = version;
        [b'A', b'M', b'Q', b'P', a, b, c, d]
    }
}

#[cfg(test)]
mod tests;
