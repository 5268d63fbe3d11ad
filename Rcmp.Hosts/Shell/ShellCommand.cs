namespace Rcmp.Hosts.Shell;

/// <summary>One word of the shell.</summary>
/// <param name="Name">The word.</param>
/// <param name="Alias">Its short form, if it has one.</param>
/// <param name="Parameters">What follows it, optional ones in brackets.</param>
/// <param name="Help">What it does and prints.</param>
/// <param name="Run">Does it, and returns the line to print, if there is one.</param>
internal sealed record ShellCommand(
    string Name, string? Alias, string Parameters, string Help, Func<ShellArguments, CancellationToken, ValueTask<string?>> Run)
{
    public int ArgumentsMax { get; } = Parameters.Split(' ', StringSplitOptions.RemoveEmptyEntries).Length;

    public int ArgumentsMin { get; } = Parameters.Split(' ', StringSplitOptions.RemoveEmptyEntries).Count(p => !p.StartsWith('['));

    public string Usage => Parameters.Length == 0 ? Name : $"{Name} {Parameters}";
}
