using System.Diagnostics;
using System.Globalization;
using Rcmp.Hosts.Cli;

namespace Rcmp.Hosts.Bench.Compare;

/// <summary>A program of <c>Bench/Baselines</c>, built when it is needed by the machine's own compiler.</summary>
internal sealed class BaselineProgram
{
    private static readonly TimeSpan Patience = TimeSpan.FromMinutes(5);

    private readonly string _program;

    private BaselineProgram(string program) => _program = program;

    /// <summary>The program, or null and why not: the comparison goes on without it.</summary>
    /// <param name="folder">Where to build.</param>
    /// <param name="source">The file's name.</param>
    /// <param name="why">What is missing.</param>
    public static BaselineProgram? TryBuild(string folder, string source, out string why)
    {
        var (compiler, package) = source switch
        {
            "windows.c" => ("mpicc", "libopenmpi-dev openmpi-bin"),
            _ when source.EndsWith(".cpp", StringComparison.Ordinal) => ("g++", "g++"),
            _ => ("gcc", "gcc"),
        };
        var program = Path.Combine(folder, Path.GetFileNameWithoutExtension(source));
        var file = Path.Combine(AppContext.BaseDirectory, "baselines", source);
        try
        {
            using var build = Process.Start(new ProcessStartInfo(compiler, ["-O3", "-march=native", "-pthread", "-o", program, file]) { RedirectStandardError = true })!;
            var errors = build.StandardError.ReadToEnd();
            build.WaitForExit();
            why = build.ExitCode == 0 ? "" : $"{compiler} could not build {source}: {errors.Split('\n')[0]}";
        }
        catch (System.ComponentModel.Win32Exception)
        {
            why = $"{compiler} is missing: apt-get install {package}";
        }

        return why.Length == 0 ? new BaselineProgram(program) : null;
    }

    /// <summary>Runs it, and returns its lines of words.</summary>
    public IReadOnlyList<string[]> Run(params object[] arguments) => RunUnder([], arguments);

    /// <summary>The same, started by another program.</summary>
    public IReadOnlyList<string[]> RunUnder(IReadOnlyList<string> launcher, params object[] arguments)
    {
        string[] line = [.. launcher, _program, .. arguments.Select(a => Convert.ToString(a, CultureInfo.InvariantCulture)!)];
        var info = new ProcessStartInfo(line[0], line[1..]) { RedirectStandardOutput = true };
        using var program = Process.Start(info)!;
        var output = program.StandardOutput.ReadToEndAsync();
        if (!program.WaitForExit(Patience))
        {
            program.Kill(true);
            throw CommandException.Missing($"{Path.GetFileName(_program)} did not end in {Patience.TotalMinutes:0} minutes");
        }

        if (program.ExitCode != 0) throw CommandException.Missing($"{Path.GetFileName(_program)} ended with {program.ExitCode}: is there room in /dev/shm?");
        return [.. output.Result.Split('\n', StringSplitOptions.RemoveEmptyEntries).Select(line => line.Split(' '))];
    }

    public static double Number(string word) => double.Parse(word, CultureInfo.InvariantCulture);
}
