//! Which SVG is taken: shapes, text and colours. Browsers run no script in an `<img>`, and the file is served
//! under a policy that allows nothing; refusing here whatever could do more is the first of the three.

/// What may stand in a logo; everything else is refused by its name.
const ELEMENTS: [&str; 36] = [
    "svg",
    "g",
    "defs",
    "symbol",
    "use",
    "title",
    "desc",
    "metadata",
    "style",
    "path",
    "rect",
    "circle",
    "ellipse",
    "line",
    "polyline",
    "polygon",
    "text",
    "tspan",
    "textPath",
    "linearGradient",
    "radialGradient",
    "stop",
    "pattern",
    "clipPath",
    "mask",
    "marker",
    "switch",
    "filter",
    "feGaussianBlur",
    "feOffset",
    "feMerge",
    "feMergeNode",
    "feBlend",
    "feFlood",
    "feComposite",
    "feColorMatrix",
];
/// Elements inside one another.
const DEPTH_MAX: usize = 64;

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    #[error("it has a <{0}>; only shapes, text and colours are taken")]
    Element(String),
    #[error("it has the attribute {0}, which could run something")]
    Attribute(String),
    #[error("it refers to something outside of itself: {0}")]
    Outside(String),
    #[error("it has a document type or an instruction; save it as plain SVG")]
    Declaration,
    #[error("it is not well-formed {0}")]
    Form(&'static str),
}

/// Whether a text means to be one.
pub(super) fn looks_like(text: &str) -> bool {
    text.trim_start_matches('\u{feff}').trim_start().starts_with('<') && text.contains("<svg")
}

/// Reads it through, tag by tag.
pub(super) fn check(text: &str) -> Result<(), Refused> {
    let mut rest = text.trim_start_matches('\u{feff}').trim();
    let mut open: Vec<&str> = Vec::new();
    let mut seen_root = false;
    while !rest.is_empty() {
        let Some(at) = rest.find('<') else {
            words(rest, &open)?;
            break;
        };
        words(&rest[..at], &open)?;
        rest = &rest[at..];
        // CSS is judged as one text: a comment or an element in it would make two of one word
        if open.last() == Some(&"style") && !rest.starts_with("</") {
            return Err(Refused::Form("inside of a style"));
        }
        if let Some(comment) = rest.strip_prefix("<!--") {
            rest = after(comment, "-->")?;
        } else if rest.starts_with("<?xml ")
            && !seen_root
            && at == 0
            && rest.len() == text.trim_start_matches('\u{feff}').trim().len()
        {
            rest = after(rest, "?>")?;
        } else if rest.starts_with("<!") || rest.starts_with("<?") {
            return Err(Refused::Declaration);
        } else if let Some(closing) = rest.strip_prefix("</") {
            let (name, more) = closing.split_once('>').ok_or(Refused::Form("at its end"))?;
            if open.pop() != Some(name.trim_end()) {
                return Err(Refused::Form("where an element ends"));
            }
            rest = more;
        } else {
            let tag = tag(&rest[1..])?;
            if open.is_empty() && (seen_root || tag.name != "svg") {
                return Err(Refused::Form("around its one <svg>"));
            }
            seen_root = true;
            if !tag.closed {
                open.push(tag.name);
            }
            if open.len() > DEPTH_MAX {
                return Err(Refused::Form("as deep as it goes"));
            }
            rest = tag.rest;
        }
    }
    if seen_root && open.is_empty() { Ok(()) } else { Err(Refused::Form("at its end")) }
}

struct Tag<'a> {
    name: &'a str,
    /// `<path/>`
    closed: bool,
    rest: &'a str,
}

/// One opening tag, its `<` taken off.
fn tag(text: &str) -> Result<Tag<'_>, Refused> {
    let (name, mut rest) = name(text);
    if !ELEMENTS.contains(&name) {
        return Err(Refused::Element(name.chars().take(40).collect()));
    }
    loop {
        let blank = rest.len() - rest.trim_start().len();
        rest = &rest[blank..];
        if let Some(rest) = rest.strip_prefix("/>") {
            return Ok(Tag { name, closed: true, rest });
        }
        if let Some(rest) = rest.strip_prefix('>') {
            return Ok(Tag { name, closed: false, rest });
        }
        if blank == 0 {
            return Err(Refused::Form("inside of a tag"));
        }
        rest = attribute(rest)?;
    }
}

/// One attribute, with its value in quotes; gives what follows.
fn attribute(text: &str) -> Result<&str, Refused> {
    let form = || Refused::Form("at an attribute");
    let (name, rest) = name(text);
    let rest = rest.trim_start().strip_prefix('=').ok_or_else(form)?.trim_start();
    let quote = rest.chars().next().filter(|quote| matches!(quote, '"' | '\'')).ok_or_else(form)?;
    let (value, rest) = rest[1..].split_once(quote).ok_or_else(form)?;
    let lower = name.to_ascii_lowercase();
    let local = lower.rsplit(':').next().unwrap_or_default();
    if name.is_empty() || value.contains('<') {
        return Err(form());
    }
    if local.starts_with("on") || local == "base" {
        return Err(Refused::Attribute(name.chars().take(40).collect()));
    }
    if matches!(local, "href" | "src") && !value.trim_start().starts_with('#') {
        return Err(Refused::Outside(value.chars().take(60).collect()));
    }
    // a namespace is a name that looks like an address
    if lower != "xmlns" && !lower.starts_with("xmlns:") {
        style(value)?;
        if value.contains("&#") {
            return Err(Refused::Attribute(name.chars().take(40).collect()));
        }
    }
    Ok(rest)
}

/// Text between tags; outside of the root there is none, and in a `<style>` it is CSS.
fn words(text: &str, open: &[&str]) -> Result<(), Refused> {
    if open.is_empty() && !text.trim().is_empty() {
        return Err(Refused::Form("around its one <svg>"));
    }
    if open.last() != Some(&"style") {
        return Ok(());
    }
    if text.contains('&') {
        return Err(Refused::Form("where a style has an escape"));
    }
    style(text)
}

/// CSS that fetches nothing: `url(…)` may only name a part of the file itself, and nothing is hidden by escapes.
fn style(css: &str) -> Result<(), Refused> {
    let lower = css.to_ascii_lowercase();
    let outside = || Refused::Outside(css.trim().chars().take(60).collect());
    if ["@import", "@font-face", "javascript:", "expression(", "image-set(", "src("]
        .iter()
        .any(|word| lower.contains(word))
    {
        return Err(outside());
    }
    if lower.contains('\\') {
        return Err(Refused::Form("where a style has a backslash"));
    }
    let mut urls = lower.split("url(").skip(1);
    match urls.any(|url| !url.trim_start_matches([' ', '"', '\'']).starts_with('#')) {
        true => Err(outside()),
        false => Ok(()),
    }
}

fn name(text: &str) -> (&str, &str) {
    let end =
        text.find(|c: char| c.is_whitespace() || matches!(c, '>' | '/' | '=' | '<' | '"' | '\'')).unwrap_or(text.len());
    text.split_at(end)
}

fn after<'a>(text: &'a str, end: &str) -> Result<&'a str, Refused> {
    text.split_once(end).map(|(_, rest)| rest).ok_or(Refused::Form("at its end"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn inside(what: &str) -> Result<(), Refused> {
        check(&format!(r#"<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 8 8">{what}</svg>"#))
    }

    #[test]
    fn drawings_are_taken() {
        for good in [
            "<path d='M0 0h8v8z' fill=\"#00695a\"/>",
            r##"<defs><linearGradient id="a"><stop offset="0" stop-color="red"/></linearGradient></defs><rect fill="url(#a)"/>"##,
            r##"<g id="x"/><use xlink:href="#x" href="#x"/>"##,
            "<style>.a{fill:url( '#a' );} @media (prefers-color-scheme: dark){.a{fill:#fff}}</style>",
            "<title>Hall &amp; Sons &#169;</title><!-- by hand --><text x='1' >a > b</text >",
        ] {
            assert_eq!(inside(good), Ok(()), "{good}");
        }
        assert_eq!(check("\u{feff}<?xml version=\"1.0\"?>\n<!-- made -->\n<svg />\n"), Ok(()));
    }

    #[test]
    fn what_could_do_more_is_refused_by_name() {
        let element = |name: &str| Err(Refused::Element(name.to_owned()));
        assert_eq!(inside("<script>alert(1)</script>"), element("script"));
        assert_eq!(inside("<SCRIPT/>"), element("SCRIPT"));
        assert_eq!(inside("<foreignObject/>"), element("foreignObject"));
        assert_eq!(inside("<image href='#a'/>"), element("image"));
        assert_eq!(inside("<a href='#a'/>"), element("a"));
        assert_eq!(inside("<animate/>"), element("animate"));
        assert_eq!(inside("<svg:script/>"), element("svg:script"));
        assert_eq!(inside("<g OnLoad='x'/>"), Err(Refused::Attribute("OnLoad".into())));
        assert_eq!(inside("<g\nonclick = 'x'/>"), Err(Refused::Attribute("onclick".into())));
        for outside in [
            "<use href='https://evil.example/x.svg#a'/>",
            "<use xlink:href=' data:image/svg+xml,x'/>",
            "<rect fill=\"url(https://evil.example/)\"/>",
            "<rect style=\"fill:URL( '//evil.example' )\"/>",
            "<style>@import 'https://evil.example';</style>",
        ] {
            assert!(matches!(inside(outside), Err(Refused::Outside(_))), "{outside}");
        }
        for hidden in [
            "<rect style='fill:u\\72l(x)'/>",
            "<rect style='fill:&#117;rl(x)'/>",
            "<style>a{b:u\\72l(x)}</style>",
            "<style>a{fill:&#117;rl(https://evil.example/)}</style>",
            "<style>a{fill:u<!-- -->rl(//evil.example/)}</style>",
            "<style>a{fill:u<g/>rl(//evil.example/)}</style>",
        ] {
            assert!(inside(hidden).is_err(), "{hidden}");
        }
        for declared in ["<!DOCTYPE svg [<!ENTITY a 'b'>]><svg/>", "<?xml-stylesheet href='x'?><svg/>"] {
            assert_eq!(check(declared), Err(Refused::Declaration), "{declared}");
        }
        assert_eq!(inside("<![CDATA[x]]>"), Err(Refused::Declaration));
    }

    #[test]
    fn what_is_not_well_formed_is_refused() {
        for bad in [
            "<svg",
            "<svg>",
            "<svg></g>",
            "<svg/><svg/>",
            "<g/>",
            "x<svg/>",
            "<svg/>x",
            "<svg a/>",
            "<svg a=b/>",
            "<svg a='b/>",
            "<svg a='b'c='d'/>",
            "<svg><!-- </svg>",
            "<svg/ >",
            "<svg></svg",
            "<svg a='<'/>",
        ] {
            assert!(matches!(check(bad), Err(Refused::Form(_))), "{bad}: {:?}", check(bad));
        }
        let deep = "<g>".repeat(100) + &"</g>".repeat(100);
        assert!(inside(&deep).is_err());
    }
}
