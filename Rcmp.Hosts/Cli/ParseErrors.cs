using System.CommandLine;
using System.CommandLine.Parsing;

namespace Rcmp.Hosts.Cli;

/// <summary>What is wrong with a command line, in one line, with the nearest known word.</summary>
internal static class ParseErrors
{
    public static string? Describe(ParseResult parsed)
    {
        if (parsed.Errors.Count == 0) return null;
        var command = parsed.CommandResult.Command;
        var path = RcmpProgram.PathOf(parsed.CommandResult);
        if (parsed.UnmatchedTokens.Count > 0)
        {
            var word = parsed.UnmatchedTokens[0];
            if (word.StartsWith('-'))
                return $"unknown option '{word}'" + Suggest(word, OptionsOf(parsed.CommandResult)) + $" ({path} --help lists them)";
            if (command.Subcommands.Count > 0)
                return $"unknown command '{word}'" + Suggest(word, command.Subcommands.Where(c => !c.Hidden).SelectMany(c => c.Aliases.Append(c.Name)))
                    + $" ({path} --help lists them)";
            return $"unexpected argument '{word}' ({path} --help says what it takes)";
        }
        if (command is not RcmpCommand && command.Subcommands.Count > 0)
            return $"{path} needs a command: {string.Join(", ", command.Subcommands.Where(c => !c.Hidden).Select(c => c.Name))}";
        return Tidy(parsed.Errors[0].Message);
    }

    private static string Suggest(string word, IEnumerable<string> candidates) =>
        Suggestions.Nearest(word, [.. candidates]) is { } nearest ? $": did you mean '{nearest}'?" : "";

    private static IEnumerable<string> OptionsOf(CommandResult? result)
    {
        for (; result is not null; result = result.Parent as CommandResult)
        {
            foreach (var option in result.Command.Options)
            {
                if (!option.Hidden) yield return option.Name;
            }
        }
    }

    private static string Tidy(string message)
    {
        var line = message.ReplaceLineEndings(" ").TrimEnd('.', ' ');
        return line.Length > 1 && char.IsUpper(line[0]) && char.IsLower(line[1]) ? char.ToLowerInvariant(line[0]) + line[1..] : line;
    }
}
