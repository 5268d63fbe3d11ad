namespace Rcmp.Hosts.Cli;

/// <summary>Where a command reads and writes. Tests give their own.</summary>
/// <param name="In">Standard input.</param>
/// <param name="Out">Standard output: results, and with <c>--json</c> one object alone.</param>
/// <param name="Error">Standard error: errors, and with <c>--json</c> all else.</param>
/// <param name="InIsTerminal">A person types.</param>
/// <param name="OutIsTerminal">A person watches: tables may be redrawn.</param>
internal sealed record CommandIo(TextReader In, TextWriter Out, TextWriter Error, bool InIsTerminal, bool OutIsTerminal)
{
    /// <summary>A person watches: how far something is may be shown there.</summary>
    public bool ErrorIsTerminal { get; init; }

    public static CommandIo OfProcess() =>
        new(Console.In, Console.Out, Console.Error, !Console.IsInputRedirected, !Console.IsOutputRedirected) { ErrorIsTerminal = !Console.IsErrorRedirected };
}
