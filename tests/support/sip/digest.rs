//! Digest authentication (RFC 2617 with MD5 and qop=auth): the challenge, the answer, and whether an answer knows the password.

/// Who a carrier wants its requests from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Login {
    pub(super) user: String,
    pub(super) password: String,
}

/// The value of `WWW-Authenticate` or `Proxy-Authenticate`.
pub(super) fn challenge(realm: &str, nonce: &str) -> String {
    format!("Digest realm=\"{realm}\", nonce=\"{nonce}\", algorithm=MD5, qop=\"auth\"")
}

/// The value of `Authorization` for a challenge.
pub(super) fn answer(challenge: &str, login: &Login, method: &str, uri: &str) -> String {
    let field = |name: &str| field(challenge, name).unwrap_or_default();
    let (realm, nonce) = (field("realm"), field("nonce"));
    let response = response(login, [realm, nonce, "", "", ""], method, uri);
    let opaque = match field("opaque") {
        "" => String::new(),
        opaque => format!(", opaque=\"{opaque}\""),
    };
    let user = &login.user;
    format!(
        "Digest username=\"{user}\", realm=\"{realm}\", nonce=\"{nonce}\", uri=\"{uri}\", algorithm=MD5, response=\"{response}\"{opaque}"
    )
}

/// The proof of a login; without qop that of RFC 2069, which servers take as well.
fn response(login: &Login, [realm, nonce, nc, cnonce, qop]: [&str; 5], method: &str, uri: &str) -> String {
    let hash = |text: String| hex(md5(text.as_bytes()));
    let secret = hash(format!("{}:{realm}:{}", login.user, login.password));
    let request = hash(format!("{method}:{uri}"));
    match qop {
        "" => hash(format!("{secret}:{nonce}:{request}")),
        qop => hash(format!("{secret}:{nonce}:{nc}:{cnonce}:{qop}:{request}")),
    }
}

impl Login {
    /// Whether the value of an `Authorization` header was made with this login, for this method.
    pub(super) fn answers(&self, authorization: &str, method: &str) -> bool {
        let field = |name: &str| field(authorization, name).unwrap_or_default();
        let values = ["realm", "nonce", "nc", "cnonce", "qop"].map(field);
        let expected = response(self, values, method, field("uri"));
        field("username") == self.user && field("response") == expected
    }
}

/// A field of a digest header, without its quotes. Values hold no commas here.
fn field<'a>(header: &'a str, name: &str) -> Option<&'a str> {
    let fields = header.strip_prefix("Digest ")?.split(',');
    let mut values = fields.filter_map(|field| {
        let (have, value) = field.trim().split_once('=')?;
        have.eq_ignore_ascii_case(name).then(|| value.trim_matches('"'))
    });
    values.next()
}

fn hex(bytes: [u8; 16]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// RFC 1321. No crate of ours has it, and nothing but old protocols should.
fn md5(message: &[u8]) -> [u8; 16] {
    const SHIFTS: [[u32; 4]; 4] = [[7, 12, 17, 22], [5, 9, 14, 20], [4, 11, 16, 23], [6, 10, 15, 21]];
    let mut padded = message.to_vec();
    padded.push(0x80);
    while padded.len() % 64 != 56 {
        padded.push(0);
    }
    padded.extend_from_slice(&(message.len() as u64 * 8).to_le_bytes());
    let mut state = [0x6745_2301_u32, 0xefcd_ab89, 0x98ba_dcfe, 0x1032_5476];
    for block in padded.chunks_exact(64) {
        let words: Vec<u32> = block
            .chunks_exact(4)
            .map(|word| u32::from_le_bytes(word.try_into().expect("four bytes")))
            .collect();
        let [mut a, mut b, mut c, mut d] = state;
        for step in 0..64_usize {
            let (mix, word) = match step / 16 {
                0 => ((b & c) | (!b & d), step),
                1 => ((d & b) | (!d & c), (5 * step + 1) % 16),
                2 => (b ^ c ^ d, (3 * step + 5) % 16),
                _ => (c ^ (b | !d), (7 * step) % 16),
            };
            let constant = (((step + 1) as f64).sin().abs() * 4_294_967_296.0) as u32;
            let sum = a.wrapping_add(mix).wrapping_add(constant).wrapping_add(words[word]);
            (a, d, c) = (d, c, b);
            b = b.wrapping_add(sum.rotate_left(SHIFTS[step / 16][step % 4]));
        }
        for (total, part) in state.iter_mut().zip([a, b, c, d]) {
            *total = total.wrapping_add(part);
        }
    }
    let mut digest = [0; 16];
    for (bytes, word) in digest.chunks_exact_mut(4).zip(state) {
        bytes.copy_from_slice(&word.to_le_bytes());
    }
    digest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn md5_of_the_rfc() {
        assert_eq!(hex(md5(b"")), "d41d8cd98f00b204e9800998ecf8427e");
        assert_eq!(hex(md5(b"message digest")), "f96b697d7cb7938d525a2f31aaf161d0");
        let long = b"12345678901234567890123456789012345678901234567890123456789012345678901234567890";
        assert_eq!(hex(md5(long)), "57edf4a22be3c955ac49da2e2107b67a");
    }

    /// The example of RFC 2617, section 3.5.
    #[test]
    fn an_answer_needs_the_password_and_the_method() {
        let header = "Digest username=\"Mufasa\", realm=\"testrealm@host.com\", nonce=\"dcd98b7102dd2f0e8b11d0f600bfb0c093\", \
                      uri=\"/dir/index.html\", qop=auth, nc=00000001, cnonce=\"0a4f113b\", \
                      response=\"6629fae49393a05397450978507c4ef1\", opaque=\"5ccc069c403ebaf9f0171e9517f40e41\"";
        let login = |password: &str| Login {
            user: "Mufasa".into(),
            password: password.into(),
        };
        assert!(login("Circle Of Life").answers(header, "GET"));
        assert!(!login("Circle Of Life").answers(header, "INVITE"));
        assert!(!login("circle of life").answers(header, "GET"));
        assert!(!login("Circle Of Life").answers("", "GET"));
    }
}
