namespace Rcmp;

/// <summary>Text from outside as a log or a terminal may have it: one line, with an end, and nothing that moves the cursor.</summary>
internal static class Printable
{
    private const char LineSeparator = '\u2028';
    private const char ParagraphSeparator = '\u2029';

    /// <summary>The text with <c>?</c> for what is not printed, cut off after so many characters.</summary>
    public static string Line(string text, int lengthMax = 400)
    {
        var clean = text.Length > lengthMax ? text[..lengthMax] : text;
        if (clean.Any(IsUnwanted)) clean = string.Concat(clean.Select(letter => IsUnwanted(letter) ? '?' : letter));
        return text.Length > lengthMax ? clean + "…" : clean;
    }

    private static bool IsUnwanted(char letter) => char.IsControl(letter) || char.IsSurrogate(letter) || letter is LineSeparator or ParagraphSeparator;
}
