namespace Rcmp.Cluster.Configuration;

/// <summary>Checks what Akka's parser lets pass: it closes open braces itself, ignores surplus ones, and ends an open string at the line's end.</summary>
internal static class HoconSyntax
{
    // Far more than any key of the pool or of Akka needs; the parser calls itself for each.
    private const int DepthMax = 50;
    private const int WordMax = 4096;

    /// <summary>The first error and its line, from 1; null if brackets and quotes match.</summary>
    public static (int Line, string Error)? Check(string text)
    {
        var open = new Stack<(char Bracket, int Line)>();
        var line = 1;
        var wordStart = 0;
        for (var i = 0; i < text.Length; i++)
        {
            if (char.IsWhiteSpace(text[i]) || text[i] is '"' or '#') wordStart = i;
            else if (i - wordStart > WordMax) return (line, $"a word of more than {WordMax} characters");
            switch (text[i])
            {
                case '\n':
                    line++;
                    break;
                case ':' when text.AsSpan(i).StartsWith("://"):
                    return (line, "\"//\" begins a comment: write addresses in quotes");
                case '#' or '/' when IsComment(text, i):
                    while (i + 1 < text.Length && text[i + 1] != '\n') i++;
                    wordStart = i;
                    break;
                case '"':
                    var start = line;
                    if (!TrySkipString(text, ref i, ref line)) return (start, "a string is not closed");
                    wordStart = i;
                    break;
                case '{' or '[':
                    open.Push((text[i], line));
                    if (open.Count > DepthMax) return (line, $"more than {DepthMax} brackets are open");
                    break;
                // The parser follows references without an end, and overflows its stack on some that are missing.
                case '$' when i + 1 < text.Length && text[i + 1] == '{':
                    return (line, $"${{…}} is not supported: write the value; the environment overrides a key by its name, such as {ConfigLoader.EnvironmentNameOf("rcmp.node.port")}");
                case '}' or ']':
                    var wanted = text[i] == '}' ? '{' : '[';
                    if (open.Count == 0) return (line, $"'{text[i]}' closes nothing");
                    var (bracket, openedAt) = open.Pop();
                    if (bracket != wanted) return (line, $"'{text[i]}' where the '{bracket}' of line {openedAt} should be closed");
                    break;
            }
        }
        return open.TryPeek(out var left) ? (left.Line, $"'{left.Bracket}' is not closed") : null;
    }

    /// <summary>The line, from 1, of a position in the text.</summary>
    public static int LineOf(string text, int position) => 1 + text.AsSpan(0, Math.Clamp(position, 0, text.Length)).Count('\n');

    /// <summary>The first line on which the last part of a key is written before an assignment; null if it is not found.</summary>
    public static int? LineOfKey(string text, string key)
    {
        var last = key[(key.LastIndexOf('.') + 1)..];
        var number = 0;
        foreach (var row in text.AsSpan().EnumerateLines())
        {
            number++;
            var at = row.IndexOf(last);
            if (at < 0 || row.TrimStart().StartsWith("#") || row.TrimStart().StartsWith("//")) continue;
            var rest = row[(at + last.Length)..].TrimStart(" \t\"");
            if (rest.Length > 0 && rest[0] is '=' or ':' or '{' or '+' or '.') return number;
        }
        return null;
    }

    private static bool IsComment(string text, int i) => text[i] == '#' || (i + 1 < text.Length && text[i + 1] == '/');

    private static bool TrySkipString(string text, ref int i, ref int line)
    {
        if (text.AsSpan(i).StartsWith("\"\"\""))
        {
            var end = text.IndexOf("\"\"\"", i + 3, StringComparison.Ordinal);
            if (end < 0) return false;
            line += text.AsSpan(i, end - i).Count('\n');
            i = end + 2;
            return true;
        }
        for (i++; i < text.Length && text[i] != '\n'; i++)
        {
            if (text[i] == '\\') i++;
            else if (text[i] == '"') return true;
        }
        return false;
    }
}
