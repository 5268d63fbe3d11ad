using System.CommandLine;
using System.CommandLine.Parsing;

namespace Rcmp.Hosts.Cli;

/// <summary>Options that several commands have, and how their values are read: checked while parsing, before anything is touched.</summary>
internal static class SharedOptions
{
    private static readonly string[] PolicyNames = ["adaptive", "watermark", "direct-io", "swap", "rdma-only"];

    public static Option<bool> Json() => new("--json") { Description = "Print one JSON object on standard output, and everything else on standard error." };

    public static Option<string?> Config() => Text("--config", "FILE", "The HOCON file.");

    public static Option<string?> Directory() => Text("--dir", "DIR", "The local cluster's directory (default: that of the cluster which 'rcmp up' started last).");

    public static Option<string?> Policy() => Choice("--policy", "When pages move: rcmp.swap.policy (default adaptive).", PolicyNames);

    public static Option<IReadOnlyList<string>?> Policies() => Choices("--policy", "When pages move, each in turn: rcmp.swap.policy (default adaptive).", PolicyNames);

    /// <summary>Some of several words.</summary>
    public static Option<IReadOnlyList<string>?> Choices(string name, string description, string[] choices) => Several<string>(
        name, $"{string.Join('|', choices)},…", description, (string? text, out string value) => choices.Contains(value = text ?? ""), text => ChoiceComplaint(text ?? "", choices));

    public static Option<string?> Text(string name, string helpName, string description) => new(name) { HelpName = helpName, Description = description };

    public static Option<ByteSize?> Size(string name, string description) => new(name)
    {
        HelpName = "SIZE",
        Description = description,
        CustomParser = result => Convert<ByteSize>(result, ByteSize.TryParse, ByteSize.Complaint),
    };

    public static Option<IReadOnlyList<ByteSize>?> Sizes(string name, string description) => Several<ByteSize>(name, "SIZE,…", description, ByteSize.TryParse, ByteSize.Complaint);

    /// <summary>Whole numbers within bounds.</summary>
    public static Option<IReadOnlyList<long>?> Counts(string name, string description, long min, long max) =>
        Several<long>(name, "N,…", description, IsCount(min, max), CountComplaint(min, max));

    public static Option<Duration?> Time(string name, string description) => new(name)
    {
        HelpName = "TIME",
        Description = description,
        CustomParser = result => Convert<Duration>(result, Duration.TryParse, Duration.Complaint),
    };

    /// <summary>A whole number within bounds.</summary>
    public static Option<long?> Count(string name, string description, long min, long max = long.MaxValue) => new(name)
    {
        HelpName = "N",
        Description = description,
        CustomParser = result => Convert(result, IsCount(min, max), CountComplaint(min, max)),
    };

    /// <summary>A number within bounds.</summary>
    public static Option<double?> Number(string name, string description, double min, double max) => new(name)
    {
        HelpName = "X",
        Description = description,
        CustomParser = result => Convert<double>(
            result,
            (string? text, out double value) =>
                double.TryParse(text, System.Globalization.CultureInfo.InvariantCulture, out value) && value >= min && value <= max,
            text => $"'{text}' is not a number from {min} to {max}"),
    };

    /// <summary>One of several words; a mistyped one gets a suggestion.</summary>
    public static Option<string?> Choice(string name, string description, params string[] choices) => new(name)
    {
        HelpName = string.Join('|', choices),
        Description = description,
        CustomParser = result =>
        {
            var text = result.Tokens[^1].Value;
            if (choices.Contains(text)) return text;
            result.AddError($"{name}: {ChoiceComplaint(text, choices)}");
            return null;
        },
    };

    public static Argument<GAddr> Address() => new("ADDR")
    {
        Description = "A global address, such as 0x0010000000001000.",
        CustomParser = result =>
        {
            if (!GAddr.TryParse(result.Tokens[0].Value, null, out var address)) result.AddError($"'{result.Tokens[0].Value}' is not an address: write 0x and hexadecimal digits");
            return address;
        },
    };

    private delegate bool TryParse<T>(string? text, out T value);

    private static TryParse<long> IsCount(long min, long max) =>
        (string? text, out long value) => long.TryParse(text?.Replace("_", ""), out value) && value >= min && value <= max;

    private static Func<string?, string> CountComplaint(long min, long max) =>
        text => max == long.MaxValue ? $"'{text}' is not a whole number of at least {min}" : $"'{text}' is not a whole number from {min} to {max}";

    private static string ChoiceComplaint(string text, string[] choices)
    {
        var nearest = Suggestions.Nearest(text, choices);
        return $"'{text}' is not one of {string.Join(", ", choices)}" + (nearest is null ? "" : $" (did you mean '{nearest}'?)");
    }

    /// <summary>Values between commas, none of them twice.</summary>
    private static Option<IReadOnlyList<T>?> Several<T>(string name, string helpName, string description, TryParse<T> parse, Func<string?, string> complaint) => new(name)
    {
        HelpName = helpName,
        Description = description,
        Arity = ArgumentArity.ExactlyOne,
        CustomParser = result =>
        {
            List<T> values = [];
            foreach (var text in result.Tokens[^1].Value.Split(',', StringSplitOptions.TrimEntries))
            {
                if (!parse(text, out var value)) result.AddError($"{name}: {complaint(text)}");
                else if (values.Contains(value)) result.AddError($"{name}: {text} is there twice");
                else values.Add(value);
            }
            return values;
        },
    };

    private static T? Convert<T>(ArgumentResult result, TryParse<T> parse, Func<string, string> complaint)
        where T : struct
    {
        var text = result.Tokens[^1].Value;
        if (parse(text, out var value)) return value;
        var name = (result.Parent as OptionResult)?.Option.Name;
        result.AddError(name is null ? complaint(text) : $"{name}: {complaint(text)}");
        return null;
    }
}
