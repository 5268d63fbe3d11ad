using System.Text.RegularExpressions;

namespace Rcmp.Tests.Repository;

/// <summary>Source text without comments and string contents, so that a scan sees code alone.</summary>
internal static partial class SourceText
{
    // Whatever of these begins first wins, so a quote in a comment and slashes in a string are both right.
    public static string CodeOnly(string source) => CommentOrText().Replace(source, match => match.Value.StartsWith('/') ? " " : "\"\"");

    [GeneratedRegex("""
        //[^\n]*|/\*.*?\*/|\"{3}.*?\"{3}|@\"(?:[^\"]|\"\")*\"|\"(?:\\.|[^\"\\\n])*\"|'(?:\\.|[^'\\\n])'
        """, RegexOptions.Singleline)]
    private static partial Regex CommentOrText();
}
