//! Packed files beside the plain ones, and who can unpack them.

use actix_web::HttpRequest;
use actix_web::http::header::{
    AcceptEncoding, ContentEncoding, Encoding, Header, Preference, Quality,
};

/// The smaller first: browsers name both and prefer none.
const CODINGS: [ContentEncoding; 2] = [ContentEncoding::Brotli, ContentEncoding::Gzip];

/// What the names of files packed so end with.
pub fn suffix(coding: ContentEncoding) -> &'static str {
    match coding {
        ContentEncoding::Brotli => ".br",
        _ => ".gz",
    }
}

/// The codings that the client takes rather than the plain file, its favourite first (RFC 9110 12.5.3).
pub fn accepted(request: &HttpRequest) -> Vec<ContentEncoding> {
    let Ok(AcceptEncoding(listed)) = AcceptEncoding::parse(request) else {
        return Vec::new();
    };
    let named = |coding| {
        let name = Preference::Specific(Encoding::Known(coding));
        let mut found = listed.iter().filter(|it| it.item == name);
        found.next().map(|it| it.quality)
    };
    let any = listed.iter().find(|it| it.item == Preference::Any);
    let any = any.map_or(Quality::ZERO, |it| it.quality);
    let plain = named(ContentEncoding::Identity).unwrap_or(Quality::ZERO);
    let quality = |coding: &ContentEncoding| named(*coding).unwrap_or(any);
    let mut codings: Vec<_> = CODINGS.into_iter().collect();
    codings.retain(|coding| quality(coding) > Quality::ZERO && quality(coding) >= plain);
    codings.sort_by_key(|coding| std::cmp::Reverse(quality(coding)));
    codings
}
