using System.Globalization;

namespace Rcmp.Hosts.Local;

/// <summary>A process that may have ended, and whose id may have been given to another since: the id and when it started.</summary>
/// <param name="Id">The process id.</param>
/// <param name="StartTicks">In clock ticks since the machine started, as /proc has it.</param>
internal readonly record struct ProcessIdentity(int Id, long StartTicks)
{
    private const int StateField = 0;
    private const int StartTimeField = 19;

    public bool IsAlive => Of(Id) is { } now && now.StartTicks == StartTicks;

    /// <summary>Null if there is no such process, or it has ended and waits for its parent.</summary>
    public static ProcessIdentity? Of(int id)
    {
        try
        {
            var stat = File.ReadAllText($"/proc/{id.ToString(CultureInfo.InvariantCulture)}/stat");
            // The program's name is in parentheses and may hold blanks and parentheses.
            var fields = stat[(stat.LastIndexOf(')') + 2)..].Split(' ');
            return fields[StateField] is "Z" or "X" ? null : new ProcessIdentity(id, long.Parse(fields[StartTimeField], CultureInfo.InvariantCulture));
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return null;
        }
    }

    /// <summary>As kept in a pid file.</summary>
    public override string ToString() => string.Create(CultureInfo.InvariantCulture, $"{Id} {StartTicks}");

    public static ProcessIdentity? Read(string path)
    {
        if (!File.Exists(path)) return null;
        var parts = File.ReadAllText(path).Split(' ', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries);
        return parts.Length == 2 && int.TryParse(parts[0], out var id) && long.TryParse(parts[1], out var start) ? new ProcessIdentity(id, start) : null;
    }
}
