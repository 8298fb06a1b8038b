//! What holds for any input of `src/lifekeeper`.

use crate::lifekeeper::lkcli::*;
use crate::lifekeeper::peers;
use crate::lifekeeper::resources::*;

/// Holds for any answer: a list has exactly its lines, field by field and in their order, and a
/// tag in it is one that can be shown.
pub fn resources(answer: &[u8]) {
    let answer = String::from_utf8_lossy(answer);
    let expected = |from: usize, count: usize| -> Vec<Vec<&str>> {
        lines(&answer).map(|line| fields(line).skip(from).take(count).collect()).collect()
    };
    let mut tags = Vec::new();
    if let Some(list) = parse(&answer) {
        let read = list.iter().map(|one| {
            let [app, kind, tag, id, info] =
                [&one.app, &one.kind, &one.tag, &one.id, &one.info].map(String::as_str);
            vec![app, kind, tag, id, info, one.state.word()]
        });
        assert_eq!(read.collect::<Vec<_>>(), expected(1, 6));
        tags.extend(list.into_iter().map(|one| one.tag));
    }
    if let Some(list) = parse_equivalents(&answer) {
        let read = list.iter().map(|one| vec![one.system.as_str(), one.tag.as_str()]);
        assert_eq!(read.collect::<Vec<_>>(), expected(2, 2));
        tags.extend(list.into_iter().map(|one| one.tag));
    }
    // Either end of the first line may be the one that was asked for.
    for tag in lines(&answer).take(1).flat_map(|line| fields(line).take(2)) {
        if let Some(list) = others(&answer, tag) {
            assert_eq!(list.len(), lines(&answer).count());
            assert!(!list.iter().any(|other| other == tag), "{tag:?} depends on itself");
            tags.extend(list);
        }
    }
    for tag in tags {
        assert!(!tag.is_empty() && !tag.contains(char::is_control), "{tag:?}");
    }
}

/// Holds for any answer: what is read are names that stand in it, in their order, and none is an
/// option to the command that it is passed to.
pub fn peers(answer: &[u8]) {
    let answer = String::from_utf8_lossy(answer);
    let mut rest = answer.as_ref();
    for name in peers::parse(&answer).into_iter().flatten() {
        assert!(!name.is_empty() && !name.starts_with('-'), "{name:?}");
        assert!(name.bytes().all(|byte| byte.is_ascii_graphic()), "{name:?}");
        let found = rest.split_once(name.as_str());
        assert!(found.is_some(), "{name:?} is not in {rest:?}");
        rest = found.map_or("", |(_, rest)| rest);
    }
}

/// Holds for any text: not more options than a help has, each as it stands in the text and found
/// by its plain name, with no word or at least two, and none of them longer than the text.
pub fn lkcli(text: &[u8]) {
    let text = String::from_utf8_lossy(text);
    let help = Help::parse(&text);
    assert!(help.0.len() <= MAX_OPTIONS, "{} options", help.0.len());
    for (n, choice) in help.0.iter().enumerate() {
        let (dashes, name) = choice.spelling.split_at_checked(2).unwrap_or_default();
        assert_eq!(dashes, "--");
        assert!(name.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_".contains(&b)), "{name:?}");
        assert!(text.contains(&choice.spelling), "{choice:?}");
        let twin = help.0.iter().skip(n + 1).find(|other| other.spelling == choice.spelling);
        assert_eq!(twin, None, "an option stands once");
        let name = plain(&choice.spelling);
        let found = help.find(&[&name]).map(|found| plain(&found.spelling));
        assert_eq!(found, Some(name));
        assert_ne!(choice.words.len(), 1, "{choice:?}");
        for word in &choice.words {
            assert!(!word.is_empty() && word.trim() == word && text.contains(word), "{word:?}");
            assert_eq!(choice.word(word).map(|found| found.eq_ignore_ascii_case(word)), Some(true));
        }
        assert!(choice.words.iter().map(String::len).sum::<usize>() <= MAX_VALUE);
    }
    let all: Vec<&HelpOption> = help.0.iter().collect();
    assert_eq!(help.unmet(&all), None, "nothing is missing where all is given");
    let unmet = help.unmet(&[]);
    assert_eq!(unmet, help.0.iter().find(|choice| choice.required));
}
