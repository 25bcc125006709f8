//! Base32: five bits a symbol, so that ten bytes are sixteen symbols and nothing is left over.

pub const BYTES: usize = 10;
pub const SYMBOLS: usize = 16;

/// RFC 4648 section 6, which authenticator apps read.
pub const RFC4648: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
/// Without `i`, `l`, `o` and `u`, for people to copy by hand: <https://www.crockford.com/base32.html>
pub const CROCKFORD: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";

pub fn encode(bytes: &[u8; BYTES], alphabet: &[u8; 32]) -> [char; SYMBOLS] {
    let bits = bytes
        .iter()
        .fold(0_u128, |bits, byte| bits << 8 | u128::from(*byte));
    let place = |at: usize| (bits >> (5 * (SYMBOLS - 1 - at)) & 31) as usize;
    std::array::from_fn(|at| char::from(alphabet[place(at)]))
}

/// `None` unless they are sixteen symbols of the alphabet.
pub fn decode(symbols: &[u8], alphabet: &[u8; 32]) -> Option<[u8; BYTES]> {
    if symbols.len() != SYMBOLS {
        return None;
    }
    let mut bits = 0_u128;
    for symbol in symbols {
        let value = alphabet.iter().position(|of| of == symbol)?;
        bits = bits << 5 | value as u128;
    }
    let bytes = bits.to_be_bytes();
    bytes[bytes.len() - BYTES..].try_into().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// From Python's base64.b32encode, and the same with the other alphabet.
    #[test]
    fn ten_bytes_are_sixteen_symbols() {
        for (bytes, rfc4648, crockford) in [
            (b"1234567890", b"GEZDGNBVGY3TQOJQ", b"64s36d1n6rvkge9g"),
            (&[0; BYTES], b"AAAAAAAAAAAAAAAA", b"0000000000000000"),
            (&[255; BYTES], b"7777777777777777", b"zzzzzzzzzzzzzzzz"),
        ] {
            for (alphabet, symbols) in [(RFC4648, rfc4648), (CROCKFORD, crockford)] {
                assert_eq!(encode(bytes, alphabet), symbols.map(char::from));
                assert_eq!(decode(symbols, alphabet).as_ref(), Some(bytes));
            }
        }
        for wrong in [
            "",
            "64s36d1n6rvkge9",
            "64s36d1n6rvkge9g0",
            "64s36d1n6rvkge9u",
        ] {
            assert_eq!(decode(wrong.as_bytes(), CROCKFORD), None, "{wrong}");
        }
    }
}
