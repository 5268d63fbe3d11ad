using System.CommandLine;

namespace Rcmp.Hosts.Cli;

/// <summary>A command that does something. Its constructor only declares: what it needs is loaded when it runs.</summary>
internal abstract class RcmpCommand : Command
{
    // Without an action, a command that has commands below it could not be run itself.
    protected RcmpCommand(string name, string description)
        : base(name, description) => SetAction(_ => ExitCodes.Done);

    public abstract Task<int> RunAsync(CommandContext context, CancellationToken ct);
}

/// <summary>A running command: its arguments, where it writes, and what the options of every command say.</summary>
internal sealed class CommandContext(ParseResult arguments, CommandIo io, bool verbose, bool color)
{
    public CommandIo Io { get; } = io;

    public TextWriter Out => Io.Out;

    public TextWriter Error => Io.Error;

    public bool Verbose { get; } = verbose;

    public bool Color { get; } = color;

    public T? Get<T>(Option<T> option) => arguments.GetValue(option);

    public T Get<T>(Argument<T> argument) => arguments.GetRequiredValue(argument);

    public T? Find<T>(Argument<T> argument) => arguments.GetValue(argument);

    public bool Has(Option option) => arguments.GetResult(option) is { Implicit: false };
}
